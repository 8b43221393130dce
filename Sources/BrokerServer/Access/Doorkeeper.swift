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

    /// The answer, where it is known at once; else it is posted.
    /// - Parameter accessNumber: which of the loop's snapshots `access` is.
    func answer(
        _ request: AuthenticationRequest, _ access: AccessSnapshot, accessNumber: Int, source: UInt64,
        to mailbox: Mailbox
    ) -> LoginAnswer? {
        func answer(_ verdict: AuthenticationVerdict, _ credential: UInt64 = 0) -> LoginAnswer {
            LoginAnswer(request: request, verdict: verdict, credential: credential, accessNumber: accessNumber)
        }
        switch access.passwords[request.listener] {
        case .unchecked: return answer(.admitted)
        case .closed: return answer(.refused(.closed))
        case .file(let file):
            let credential = file.hashes[request.userName]?.credential ?? 0
            let known = startedPool().check(request.userName, request.password, in: file, source: source) { found in
                mailbox.post(
                    .login(
                        LoginAnswer(
                            request: request, verdict: AuthenticationVerdict(found), credential: credential,
                            accessNumber: accessNumber)))
            }
            return known.map { answer(AuthenticationVerdict($0), credential) }
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

/// What became of a login.
struct LoginAnswer: Sendable {
    let request: AuthenticationRequest
    let verdict: AuthenticationVerdict
    /// `PasswordHash.credential` of who was let in.
    let credential: UInt64
    /// By which of the loop's snapshots it was checked.
    let accessNumber: Int
}

extension PasswordHash {
    /// Stands for the line of a password file that let somebody in, so that another line is noticed; never 0. Means something
    /// in this process only.
    var credential: UInt64 { UInt64(bitPattern: Int64(text.hashValue)) | 1 }
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
