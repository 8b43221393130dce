import SeededRandom
import Testing

@testable import BrokerAccess

/// The three forms of a stored password, and everything that is not one of them.
@Suite("Password hashes")
struct PasswordHashTests {
    @Test(
        "A new hash takes its password and no other",
        arguments: [PasswordHash.Recipe.sha512, .pbkdf2(iterations: 7), .argon2id])
    func roundTrip(_ recipe: PasswordHash.Recipe) throws {
        for password in ["geheim", "pässword: $7$", String(repeating: "x", count: 300)] {
            let hash = PasswordHash.make(Array(password.utf8), recipe)
            let read = try #require(PasswordHash(hash.text))
            #expect(read.verify(Array(password.utf8)))
            #expect(!read.verify(Array((password + " ").utf8)))
            #expect(!read.verify(Array(password.utf8.dropLast())))
            #expect(!read.verify([]))
        }
    }

    @Test("An empty password has a hash too, and only it fits")
    func empty() {
        for recipe in [PasswordHash.Recipe.sha512, .pbkdf2(iterations: 7), .argon2id] {
            let hash = PasswordHash.make([], recipe)
            #expect(hash.verify([]))
            #expect(!hash.verify([1]))
        }
    }

    @Test("Salts of 12 and of 64 bytes", arguments: [12, 64])
    func salts(_ bytes: Int) {
        #expect(PasswordHash.make([1], .pbkdf2(iterations: 3), saltBytes: bytes).verify([1]))
    }

    @Test("Two hashes of one password have nothing in common")
    func salted() {
        #expect(
            PasswordHash.make([1], .pbkdf2(iterations: 3)).text != PasswordHash.make([1], .pbkdf2(iterations: 3)).text)
    }

    /// For the password `p`, by Debian's mosquitto_passwd 2.0.11.
    static let debian = [
        "$6$dn+NMBsY/GWYFZRv$hGJMRT6MVXbSdwoUyzc2mTxDAakq1WhMBbHld34kta0baOYYMduXhUcJ2e1qllTil0f6pIiZIhF3ufoCEoaJvg==",
        "$7$5$f3tcSmbXp0iDPI7z$a5ahEDpDKrtT6gQbyGxjRls8Z98IRNILbEmIZVdqu8kzZJUDJ9Q0+nGdS+hB9sxRluktGjwdN8U6bBBFapmYVw==",
    ]

    @Test("MQ-11 What mosquitto_passwd wrote is read", arguments: debian)
    func written(_ text: String) throws {
        let hash = try #require(PasswordHash(text))
        #expect(hash.verify(Array("p".utf8)))
        #expect(!hash.verify(Array("q".utf8)))
    }

    static let digest = String(repeating: "A", count: 86) + "=="

    @Test(
        "What is no hash is refused",
        arguments: [
            "", "plain", "$", "$7$", "$6$$", "$5$AAAAAAAAAAAAAAAA$\(digest)", "$6$AAAAAAAAAAAAAAAA$AAAA",
            "$6$AAAAAAAAAAAAAAAAAAAA$\(digest)", "$6$AAAAAAAAAAAAAAA$\(digest)", "$7$0$AAAAAAAAAAAAAAAA$\(digest)",
            "$7$-1$AAAAAAAAAAAAAAAA$\(digest)", "$7$+1$AAAAAAAAAAAAAAAA$\(digest)", "$7$1e3$AAAAAAAAAAAAAAAA$\(digest)",
            "$7$10000001$AAAAAAAAAAAAAAAA$\(digest)", "$7$99999999999999999999$AAAAAAAAAAAAAAAA$\(digest)",
            "$7$101$AAAAAAAAAAAAAAAA$\(digest)$", "$argon2id$v=19$m=1,t=1,p=1$AAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA",
            "$argon2id$v=16$m=64,t=1,p=1$AAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA",
            "$argon2id$v=19$m=64,t=1,p=1$AAAAAAAAAAA=$AAAAAAAAAAAAAAAAAAAAAA",
            "$argon2id$v=19$m=99999999999,t=1,p=1$AAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA",
            "$argon2i$v=19$m=64,t=1,p=1$AAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA",
        ])
    func nonsense(_ text: String) { #expect(PasswordHash(text) == nil) }

    @Test("A hash with anything changed fits no more, and nothing stops the process", arguments: debian)
    func mutated(_ text: String) throws {
        var random = SeededGenerator(seed: 1)
        let bytes = Array(text.utf8)
        for _ in 0..<2_000 {
            var changed = bytes
            changed[Int(random.next() % UInt64(bytes.count))] = UInt8(truncatingIfNeeded: random.next() % 95) + 32
            guard changed != bytes, let hash = PasswordHash(String(decoding: changed, as: UTF8.self)) else { continue }
            // Bits that base64 leaves over mean nothing.
            if hash.form == PasswordHash(text)?.form { continue }
            if case .pbkdf2(let iterations, _, _) = hash.form, iterations > 1000 { continue }
            #expect(!hash.verify(Array("p".utf8)), "\(hash.text)")
        }
    }
}
