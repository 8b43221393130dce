import MQTTProtocol
import Synchronization
import Testing

@testable import BrokerAccess

/// Answers as they come, from any thread.
final class Answers: Sendable {
    private let all = Mutex<[(name: String, answer: LoginPool.Answer)]>([])

    func add(_ name: String, _ answer: LoginPool.Answer) { all.withLock { $0.append((name, answer)) } }
    var count: Int { all.withLock { $0.count } }
    var names: [String] { all.withLock { $0.map(\.name) } }
    func all(are answer: LoginPool.Answer) -> Bool { all.withLock { $0.allSatisfy { $0.answer == answer } } }

    /// Waits until so many have come, some seconds at most.
    func wait(for count: Int) async -> Bool {
        for _ in 0..<6_000 {
            if self.count >= count { return true }
            try? await Task.sleep(for: .milliseconds(5))
        }
        return false
    }
}

@Suite("Login pool")
struct LoginPoolTests {
    /// Its clock stands: nothing ages while a test waits for its turn.
    private static func pool(_ threads: Int, waitingMax: Int = LoginPool.waitingMax) -> LoginPool {
        LoginPool(threads: threads, waitingMax: waitingMax, now: { 0 })
    }

    static func file(_ users: [String], iterations: Int = 101) throws -> PasswordFile {
        let hash = PasswordHash.make(Array("right".utf8), .pbkdf2(iterations: iterations)).text
        let text = users.map { "\($0):\(hash)\n" }.joined()
        return try PasswordFile(SecretFile(path: "pw", bytes: Array(text.utf8), remarks: []))
    }

    @Test("Right, wrong, nobody, none; and then at once, from what was remembered")
    func verdicts() async throws {
        let pool = Self.pool(2)
        defer { pool.close() }
        let file = try Self.file(["a"])
        let cases: [(String, String, LoginPool.Answer)] = [
            ("a", "right", .right), ("a", "wrong", .wrong), ("b", "right", .wrong), ("a", "", .wrong),
        ]
        for (user, password, expected) in cases {
            let answers = Answers()
            let known = pool.check(MQTTString(user), Array(password.utf8), in: file, source: 1) {
                answers.add(user, $0)
            }
            #expect(known == nil)
            #expect(await answers.wait(for: 1))
            #expect(answers.all(are: expected))
            let again = pool.check(MQTTString(user), Array(password.utf8), in: file, source: 1) { _ in }
            #expect(again == expected)
        }
        #expect(pool.check("a", nil, in: file, source: 1) { _ in } == .wrong)
    }

    @Test("What was remembered is not remembered for another hash, user or password file")
    func forgotten() async throws {
        let pool = Self.pool(1)
        defer { pool.close() }
        let answers = Answers()
        let file = try Self.file(["a"])
        #expect(pool.check("a", Array("right".utf8), in: file, source: 1) { answers.add("1", $0) } == nil)
        #expect(await answers.wait(for: 1))
        let changed = try Self.file(["a", "decoy"])
        #expect(pool.check("a", Array("right".utf8), in: changed, source: 1) { answers.add("2", $0) } == nil)
        let removed = try Self.file(["x"])
        #expect(pool.check("a", Array("right".utf8), in: removed, source: 1) { answers.add("3", $0) } == nil)
        #expect(await answers.wait(for: 3))
        #expect(pool.check("a", Array("right".utf8), in: removed, source: 1) { _ in } == .wrong)
        #expect(pool.check("a", Array("right".utf8), in: file, source: 1) { _ in } == .right)
    }

    @Test("The queue is bounded: beyond it the answer is busy, at once")
    func bounded() async throws {
        let pool = Self.pool(1, waitingMax: 3)
        defer { pool.close() }
        let slow = try Self.file(["a"], iterations: 30_000)
        let answers = Answers()
        var busy = 0
        for i in 0..<40 where pool.check("a", [UInt8(i)], in: slow, source: 1, answer: { answers.add("", $0) }) == .busy
        {
            busy += 1
        }
        #expect(busy >= 30)
        #expect(await answers.wait(for: 40 - busy))
        #expect(pool.waiting == 0)
    }

    @Test("Addresses take turns: one that floods holds up nobody else")
    func turns() async throws {
        let pool = Self.pool(1)
        defer { pool.close() }
        let file = try Self.file(["a"], iterations: 5_000)
        let answers = Answers()
        for i in 0..<60 {
            _ = pool.check("a", [1, UInt8(i)], in: file, source: 1) { answers.add("flood", $0) }
        }
        for i in 0..<3 {
            _ = pool.check("a", [2, UInt8(i)], in: file, source: 2) { answers.add("other", $0) }
        }
        #expect(await answers.wait(for: 63))
        let last = try #require(answers.names.lastIndex(of: "other"))
        #expect(last < 40)  // 3 turns of its own among what was begun already, far from the end
    }

    @Test("A storm of 1,000 clients with 101 iterations, and again: nobody is refused")
    func storm() async throws {
        let users = (0..<1_000).map { "u\($0)" }
        let file = try Self.file(users)
        let pool = Self.pool(2)
        defer { pool.close() }
        let answers = Answers()
        for user in users {
            #expect(
                pool.check(MQTTString(user), Array("right".utf8), in: file, source: 1) { answers.add(user, $0) } == nil)
        }
        #expect(await answers.wait(for: 1_000))
        #expect(answers.all(are: .right))
        for user in users {
            #expect(pool.check(MQTTString(user), Array("right".utf8), in: file, source: 1) { _ in } == .right)
        }
    }

    @Test("The cache keeps no more than its two halves, and answers age")
    func cache() throws {
        var cache = LoginCache()
        let hash = PasswordHash.make([1], .pbkdf2(iterations: 1))
        let first = cache.key("first", hash, [1], isKnown: true)
        #expect(first != cache.key("first", hash, [1], isKnown: false))
        #expect(first != cache.key("firs", hash, [UInt8(ascii: "t"), 1], isKnown: true))
        cache.keep(true, first, at: 1_000_000)
        #expect(cache.answer(first, at: 1_000_000 + LoginCache.lifetime) == true)
        #expect(cache.answer(first, at: 1_000_000 + 3 * LoginCache.lifetime) == nil)
        cache.keep(true, first, at: 2_000_000)
        for i in 0..<(2 * LoginCache.entriesMax) {
            let bytes = withUnsafeBytes(of: i) { Array($0) }
            cache.keep(true, cache.key("x", hash, bytes, isKnown: true), at: 2_000_000)
        }
        #expect(cache.answer(first, at: 2_000_000) == nil)
    }
}
