import BrokerConfiguration
import BrokerStore
import NIOConcurrencyHelpers
import NIOCore

/// Tells the log of a store in trouble: at once, and then not more than once in ten seconds, however many groups fail.
final class StoreComplaints: Sendable {
    private struct State {
        var toldAt: NIODeadline?
        var untold = 0
    }

    private static let interval = TimeAmount.seconds(10)

    private let log: LogWriter
    private let state = NIOLockedValueBox(State())

    init(_ log: LogWriter) { self.log = log }

    func tell(_ error: StoreError) {
        let untold: Int? = state.withLockedValue { state in
            let now = NIODeadline.now()
            if let toldAt = state.toldAt, now - toldAt < StoreComplaints.interval {
                state.untold += 1
                return nil
            }
            defer { state.untold = 0 }
            state.toldAt = now
            return state.untold
        }
        guard let untold else { return }
        log.write(.error, "Error: \(error)" + (untold > 0 ? " (\(untold) more since the last line)" : ""))
    }
}
