import BrokerAccess
import BrokerCore
import NIOConcurrencyHelpers
import NIOCore

/// Answers the shards' questions about logins: at once where nothing has to be worked out, else later through the
/// mailbox of the loop that asked. One for all loops; its threads are started for the first password.
final class Doorkeeper: Sendable {
    private let threads: Int
    private let pool = NIOLockedValueBox<LoginPool?>(nil)

    /// - Parameter threads: how many passwords are checked at the same time.
    init(threads: Int) { self.threads = threads }

    /// Threads beside so many loops: the cores that are left, at least one, which steps back behind them.
    static func threads(beside loops: Int) -> Int { min(max(1, System.coreCount - loops), 8) }

    /// The verdict, where it is known at once; else it is posted.
    func verdict(
        _ request: AuthenticationRequest, _ access: AccessSnapshot, source: UInt64, to mailbox: Mailbox
    ) -> AuthenticationVerdict? {
        switch access.passwords[request.listener] {
        case .unchecked: return .admitted
        case .closed: return .refused(.closed)
        case .file(let file):
            let connection = request.connection
            let answer = startedPool().check(request.userName, request.password, in: file, source: source) { answer in
                mailbox.post(.verdict(connection, AuthenticationVerdict(answer)))
            }
            return answer.map { AuthenticationVerdict($0) }
        }
    }

    private func startedPool() -> LoginPool {
        pool.withLockedValue { pool in
            if let pool { return pool }
            let started = LoginPool(threads: threads)
            pool = started
            return started
        }
    }

    func close() { pool.withLockedValue { $0?.close() } }
}

extension AuthenticationVerdict {
    fileprivate init(_ answer: LoginPool.Answer) {
        self =
            switch answer {
            case .right: .admitted
            case .wrong: .refused(.wrongPassword)
            case .busy: .refused(.busy)
            }
    }
}
