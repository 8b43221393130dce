import BrokerAccess
import Testing

@Suite("Password hashes")
struct PasswordHashTests {
    /// Written by Debian's mosquitto_passwd 2.0.11 for the password `password`.
    @Test("MQ-11 what mosquitto_passwd wrote", arguments: [PasswordHash.Recipe.sha512, .pbkdf2(iterations: 101), .argon2id])
    func roundTrip(_ recipe: PasswordHash.Recipe) {
        let hash = PasswordHash.make(Array("geheim".utf8), recipe)
        #expect(hash.verify(Array("geheim".utf8)))
        #expect(!hash.verify(Array("geheim ".utf8)))
        #expect(!hash.verify([]))
    }
}
