import BrokerConfiguration
import Certificates
import Dispatch
import Glibc
import MQTTTransport
import NIOConcurrencyHelpers
import NIOCore

/// What the broker keeps in mind about the files of its TLS listeners.
struct Watch: Sendable {
    var files: FileWatch
    var calendar = ExpiryCalendar()
    /// What was said last about files that cannot be used, so that it is said once.
    var complaint: [String] = []
    /// The broker ends: nothing begins any more.
    var isOver = false

    /// Counts the times looking has begun: looks of earlier ones end.
    private(set) var turn = 0

    mutating func nextTurn() -> Int {
        turn += 1
        return turn
    }

    mutating func tookUp(_ stamps: FileStamps) {
        files.take(stamps)
        complaint = []
    }
}

/// Certificates that become others while the broker runs, and that run out. All of it happens on `chores`.
extension Broker {
    /// How long files must have looked the same before they are read: whoever writes them may write two.
    private static let settling = DispatchTimeInterval.seconds(1)
    /// Expiry is looked at this often where files are not.
    private static let longestPause = 3600

    /// Begins to look, or begins anew because it is to look at other intervals.
    func startWatch() {
        warnOfExpiry()
        lookLater(watch.withLockedValue { $0.nextTurn() })
    }

    private func lookLater(_ turn: Int) {
        let seconds = min(running.configuration.tlsWatchSeconds ?? Broker.longestPause, Broker.longestPause)
        look(turn, after: .seconds(seconds))
    }

    private func look(_ turn: Int, after pause: DispatchTimeInterval) {
        chores.asyncAfter(deadline: .now() + pause) { [weak self] in self?.look(turn) }
    }

    private func look(_ turn: Int) {
        guard watch.withLockedValue({ !$0.isOver && $0.turn == turn }) else { return }
        warnOfExpiry()
        guard running.configuration.tlsWatchSeconds != nil else { return lookLater(turn) }
        let stamps = FileStamps.tls(running.configuration)
        switch watch.withLockedValue({ $0.files.look(stamps) }) {
        case .nothing: lookLater(turn)
        case .unsettled: look(turn, after: Broker.settling)
        case .settled(let paths):
            if takeUp(paths, stamps) { lookLater(turn) } else { look(turn, after: Broker.settling) }
        }
    }

    /// Files of TLS listeners are others: all of them are good and hold from now on, or nothing changes, and they are tried
    /// again at the next look. `false`, and nothing has been done or said, where they became others while they were read:
    /// they have not settled.
    private func takeUp(_ paths: [String], _ stamps: FileStamps) -> Bool {
        let running = running
        var problems: [String] = []
        var snapshots: [TLSSnapshot?] = []
        do throws(TransportProblems) {
            snapshots = try makeSnapshots(running.configuration, running)
            problems = expiredNews(snapshots, running)
        } catch { problems = error.problems.map(\.description) }
        guard FileStamps.tls(running.configuration) == stamps else { return false }
        guard problems.isEmpty else {
            let isNew = watch.withLockedValue { watch in
                defer { watch.complaint = problems }
                return watch.complaint != problems
            }
            guard isNew else { return true }
            for problem in problems { log.write(.error, "Error: \(problem)") }
            log.write(
                .error,
                "Error: \(paths.joined(separator: ", ")) changed and cannot be used like this: what held before goes on, and "
                    + "they are tried again.")
            return true
        }
        var distrusted: [Listener] = []
        for (listener, snapshot) in zip(running.listeners, snapshots) {
            guard let snapshot else { continue }
            if listener.tls?.trust != snapshot.trust { distrusted.append(listener) }
            listener.follow(tls: snapshot)
        }
        let sentAway = judgeAgain(distrusted)
        watch.withLockedValue { $0.tookUp(stamps) }
        // Those files are known to a reload too; of the others it decides itself.
        state.withLockedValue { $0.stamps = $0.stamps.updated(by: stamps) }
        log.write(
            .information,
            "Changed files were read again and count from the next handshake on: \(paths.joined(separator: ", "))"
                + (sentAway > 0 ? "; clients sent away: \(sentAway)." : "."))
        warnOfExpiry()
        return true
    }

    /// Says what runs out soon, or has, once at each stage.
    func warnOfExpiry() {
        let documents = running.listeners.flatMap { $0.tls?.documents ?? [] }
        let now = Timestamp(seconds: Int64(time(nil)))
        let warnings = watch.withLockedValue { $0.calendar.warnings(about: documents, at: now) }
        for warning in warnings { log.write(.warning, "Warning: \(warning.text)") }
    }

    /// Waits for what is under way, and lets nothing more begin.
    func endChores() async {
        await withCheckedContinuation { done in
            chores.async {
                self.watch.withLockedValue { $0.isOver = true }
                done.resume()
            }
        }
    }
}
