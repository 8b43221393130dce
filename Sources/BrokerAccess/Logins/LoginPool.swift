import DequeModule
import Dispatch
import Foundation
import Glibc
package import MQTTProtocol
import Synchronization

/// Checks passwords beside the event loops, in a few threads of low priority. What waits is bounded and takes turns by
/// where it comes from: somebody who guesses passwords from one address holds up nobody else.
package final class LoginPool: Sendable {
    package enum Answer: Equatable, Sendable {
        case right, wrong
        /// The queue is full.
        case busy
    }

    /// Logins that wait, at most. Ten thousand clients may come back at once.
    package static let waitingMax = 16_384

    private struct Login: Sendable {
        let key: LoginCache.Key
        let hash: PasswordHash
        let password: [UInt8]
        /// The user is there: without it, the answer is no, whatever the hash says.
        let isKnown: Bool
        let answer: @Sendable (Answer) -> Void
    }

    private struct State: Sendable {
        var cache = LoginCache()
        /// Who waits, by where they come from, and whose turn is next.
        var lines: [UInt64: Deque<Login>] = [:]
        var turns: Deque<UInt64> = []
        var waiting = 0
        var isClosed = false
    }

    private let state = Mutex(State())
    private let work = DispatchSemaphore(value: 0)
    private let waitingMax: Int
    private let threads: Int
    private let now: @Sendable () -> Int64

    /// - Parameters:
    ///   - threads: how many check at the same time, 1…64.
    ///   - now: milliseconds of a clock that does not step; what is remembered ages by it.
    package init(
        threads: Int, waitingMax: Int = LoginPool.waitingMax,
        now: @escaping @Sendable () -> Int64 = LoginPool.monotonicMilliseconds
    ) {
        precondition(1...64 ~= threads, "a few threads")
        self.threads = threads
        self.waitingMax = waitingMax
        self.now = now
        for number in 0..<threads {
            let thread = Thread { [self] in run() }
            thread.name = "login-\(number)"
            thread.stackSize = 1 << 20
            thread.start()
        }
    }

    /// Whether the password is the user's. What is known at once is returned; else `answer` is called later, on a thread
    /// of the pool.
    /// - Parameter source: whose turn it takes while it waits.
    package func check(
        _ userName: MQTTString, _ password: [UInt8]?, in file: PasswordFile, source: UInt64,
        answer: @escaping @Sendable (Answer) -> Void
    ) -> Answer? {
        // No password is a wrong one, whoever it is.
        guard let password else { return .wrong }
        let known = file.hashes[userName]
        let hash = known ?? file.decoy
        let waitingMax = waitingMax
        let outcome: Answer? = state.withLock { state in
            let key = state.cache.key(userName, hash, password, isKnown: known != nil)
            if let isRight = state.cache.answer(key, at: now()) { return isRight ? .right : .wrong }
            guard state.waiting < waitingMax, !state.isClosed else { return .busy }
            let login = Login(key: key, hash: hash, password: password, isKnown: known != nil, answer: answer)
            state.waiting += 1
            if state.lines[source, default: []].isEmpty { state.turns.append(source) }
            state.lines[source, default: []].append(login)
            return nil
        }
        if outcome == nil { work.signal() }
        return outcome
    }

    /// Logins that wait for a thread.
    package var waiting: Int { state.withLock { $0.waiting } }

    /// Ends the threads; whoever waits gets no answer.
    package func close() {
        state.withLock { state in
            state.isClosed = true
            state.lines = [:]
            state.turns = []
            state.waiting = 0
        }
        for _ in 0..<threads { work.signal() }
    }

    // MARK: A thread

    /// How much the threads step back behind those that serve clients: `nice`.
    private static let niceness: Int32 = 10

    private func run() {
        // 0 is the calling thread on Linux. Not being allowed to be nice would be no harm.
        _ = setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, LoginPool.niceness)
        while true {
            work.wait()
            let (login, isClosed) = state.withLock { (LoginPool.next(&$0), $0.isClosed) }
            if isClosed { return }
            guard let login else { continue }
            let isRight = login.hash.verify(login.password) && login.isKnown
            state.withLock { $0.cache.keep(isRight, login.key, at: now()) }
            login.answer(isRight ? .right : .wrong)
        }
    }

    private static func next(_ state: inout State) -> Login? {
        guard let source = state.turns.popFirst(), let login = state.lines[source]?.popFirst() else { return nil }
        state.waiting -= 1
        if state.lines[source]?.isEmpty == true {
            state.lines[source] = nil
        } else {
            state.turns.append(source)
        }
        return login
    }

    /// The machine's clock since its start.
    package static func monotonicMilliseconds() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }
}
