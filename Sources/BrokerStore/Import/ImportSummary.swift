package import BrokerCore
import Glibc

/// What an import brought, and what it left where it was.
package struct ImportSummary: Equatable, Sendable {
    package var sessions = 0
    package var subscriptions = 0
    package var retained = 0
    /// Messages waiting in queues or in flight: one that two sessions wait for counts twice.
    package var queued = 0

    /// Sessions whose time was over.
    package var sessionsExpired = 0
    /// Messages whose time was over, and that a session waited for or that were retained.
    package var messagesExpired = 0
    /// Claims and retained entries that name a message which is not in the file.
    package var messagesMissing = 0
    /// Names, filters and topics that MQTT does not allow, and parts of sessions that the file does not hold.
    package var refused = 0

    package init() {}

    /// One line for the log or a person: what came, and what did not.
    package var description: String {
        func count(_ number: Int, _ one: String, _ many: String) -> String { "\(number) \(number == 1 ? one : many)" }
        let came = [
            count(sessions, "session", "sessions"), count(subscriptions, "subscription", "subscriptions"),
            count(retained, "retained message", "retained messages"),
            count(queued, "queued message", "queued messages"),
        ]
        var left: [String] = []
        if sessionsExpired > 0 { left.append(count(sessionsExpired, "expired session", "expired sessions")) }
        if messagesExpired > 0 { left.append(count(messagesExpired, "expired message", "expired messages")) }
        if messagesMissing > 0 {
            left.append(
                count(messagesMissing, "message that the file does not hold", "messages that the file does not hold"))
        }
        if refused > 0 {
            left.append(count(refused, "entry that MQTT does not allow", "entries that MQTT does not allow"))
        }
        return came.joined(separator: ", ") + (left.isEmpty ? "" : "; left out: " + left.joined(separator: ", "))
    }
}

/// Why an import stopped. What it had written so far is no whole store.
package enum StoreImportError: Error, Equatable, Sendable, CustomStringConvertible {
    case mosquitto(MosquittoSnapshotError)
    /// The same of the file at a path that a broker's start found: it is not started without what that holds.
    case snapshot(String, MosquittoSnapshotError)
    case lines(StoreLineError)
    /// The file to import cannot be opened: its path and the system's error number.
    case unreadable(String, Int32)
    /// The store did not keep what came.
    case refused(StorageFailure)

    package var description: String {
        switch self {
        case .mosquitto(let error): "\(error)"
        case .snapshot(let path, let error):
            "mosquitto's \(path) cannot be taken over: \(error). Move it away to start without what it holds."
        case .lines(let error): "\(error)"
        case .unreadable(let path, let number): "\(path): \(String(cString: strerror(number)))"
        case .refused(.full): "the store has no room for it"
        case .refused: "the store did not keep it"
        }
    }
}
