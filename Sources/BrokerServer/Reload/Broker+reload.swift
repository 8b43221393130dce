import BrokerAccess
package import BrokerConfiguration
import BrokerCore
import Certificates
import Dispatch
import Glibc
import MQTTTransport
import NIOConcurrencyHelpers
import NIOCore

/// A reload that has been thought through: everything is read, checked and bound, and nothing has changed yet.
struct PreparedReload: Sendable {
    /// What the broker will run with: the file's, but for what needs a new start.
    var configuration: BrokerConfiguration
    var change: ConfigurationChange
    /// Of `configuration.listeners`, in their order.
    var snapshots: [TLSSnapshot?]
    var access: AccessSnapshot
    var plan: ListenerPlan
    /// Sockets that are new, by their place in the configuration.
    var sockets: [Int: ListeningSocket] = [:]
    /// Places of listeners that can be opened only when an old one has been closed: same port, another address.
    var late: [Int] = []
    /// Where the log's settings change.
    var log: LogWriter.Setup?
    var stamps: FileStamps
    var tlsStamps: FileStamps
    /// Paths of files that are others now.
    var files: [String]
    var warnings: [Diagnostic]

    var isEmpty: Bool { change.isEmpty && files.isEmpty }
    /// Only what waits for a new start differs.
    var appliesNothing: Bool { change.text == nil && files.isEmpty }
}

/// Why nothing was changed: a line for each.
struct ReloadRefused: Error {
    var problems: [String]
}

extension Broker {
    /// SIGHUP: the log file is opened anew, and the configuration and every file it names are read. If all of it is good it
    /// holds from now on, else everything stays as it was; the log says which. Returns when it is done.
    package func reload(from source: ConfigurationSource) async {
        await withCheckedContinuation { done in
            chores.async {
                self.reloadNow(source)
                done.resume()
            }
        }
    }

    private func reloadNow(_ source: ConfigurationSource) {
        guard !watch.withLockedValue({ $0.isOver }) else { return }
        service?.reloading()
        reopenLog()
        log.write(.information, "Reloading config.")
        do throws(ReloadRefused) {
            let prepared = try prepare(source)
            if prepared.appliesNothing {
                state.withLockedValue { $0.stamps = prepared.stamps }
                log.write(.information, "Config reloaded: nothing has changed.")
            } else {
                apply(prepared)
            }
            if !prepared.change.needsRestart.isEmpty {
                log.write(
                    .warning,
                    "Warning: \(prepared.change.needsRestart.joined(separator: ", ")) will hold from the next start on; "
                        + "the rest of the configuration holds now.")
            }
        } catch {
            for problem in error.problems { log.write(.error, "Error: \(problem)") }
            log.write(.error, "Error: Nothing was changed by this reload: what held before goes on.")
        }
        service?.ready(status: running.configuration.summary(source: source.file.map(Broker.absolute)))
    }

    // MARK: Before anything changes

    private func prepare(_ source: ConfigurationSource) throws(ReloadRefused) -> PreparedReload {
        let running = running
        var problems: [String] = []
        let loaded: (configuration: BrokerConfiguration, warnings: [Diagnostic])
        do throws(ConfigurationError) { loaded = try source.load() } catch {
            throw ReloadRefused(problems: error.problems.map(\.description))
        }
        let configuration = ConfigurationChange.applicable(of: loaded.configuration, to: running.configuration)
        let change = ConfigurationChange(from: running.configuration, to: loaded.configuration)
        // Before they are read: what changes meanwhile is noticed the next time.
        let stamps = FileStamps.all(configuration)
        let tlsStamps = FileStamps.tls(configuration)
        var snapshots: [TLSSnapshot?] = []
        do throws(TransportProblems) {
            snapshots = try makeSnapshots(configuration, running)
            problems += expiredNews(snapshots, running)
        } catch { problems += error.problems.map(\.description) }
        var access: AccessSnapshot?
        do throws(AccessFileError) { access = try loadAccess(configuration, running) } catch {
            problems.append(Broker.diagnostic(for: error, in: configuration).description)
        }
        var setup: LogWriter.Setup?
        if configuration.log != running.configuration.log {
            do throws(LogFileError) { setup = try LogWriter.Setup(configuration.log) } catch {
                problems.append("\(error)")
            }
        }
        guard problems.isEmpty, let access else {
            throw ReloadRefused(problems: problems)
        }
        let plan = ListenerPlan(
            from: running.configuration.listeners, to: configuration.listeners,
            free: running.freeNumbers, count: running.numberCount)
        var prepared = PreparedReload(
            configuration: configuration, change: change, snapshots: snapshots, access: access, plan: plan, log: setup,
            stamps: stamps, tlsStamps: tlsStamps, files: stamps.changes(since: running.stamps),
            warnings: loaded.warnings)
        do throws(ReloadRefused) { try bindNew(&prepared, running) } catch {
            for socket in prepared.sockets.values { socket.close() }
            throw error
        }
        return prepared
    }

    /// Reads what has changed. Files that look as they did when they were read are not read again, so that those go on that only
    /// root may read.
    func makeSnapshots(
        _ configuration: BrokerConfiguration, _ running: Running
    ) throws(TransportProblems) -> [TLSSnapshot?] {
        try Broker.makeSnapshots(configuration, secrets, keyLog) { listener in
            let old = running.listeners.first { old in
                old.configuration.address == listener.address && old.configuration.tls == listener.tls
                    && old.configuration.security.pskFile == listener.security.pskFile
            }
            guard let old, FileStamps.tls(of: listener).changes(since: running.stamps).isEmpty else { return nil }
            return old.tls
        }
    }

    /// The same for passwords and rights: all of them, or none.
    private func loadAccess(
        _ configuration: BrokerConfiguration, _ running: Running
    ) throws(AccessFileError) -> AccessSnapshot {
        let isSame = configuration.listeners.map { ListenerAccess($0) }
            .elementsEqual(running.configuration.listeners.map { ListenerAccess($0) })
        guard isSame, FileStamps.access(configuration).changes(since: running.stamps).isEmpty else {
            return try Broker.loadAccess(configuration)
        }
        return running.files
    }

    /// Certificates and CRLs that a reload would bring in and that are over already.
    func expiredNews(_ snapshots: [TLSSnapshot?], _ running: Running) -> [String] {
        ExpiryCalendar.expired(
            snapshots.flatMap { $0?.documents ?? [] }, not: running.listeners.flatMap { $0.tls?.documents ?? [] },
            at: Timestamp(seconds: Int64(time(nil))))
    }

    /// Opens what is new; whoever connects there waits.
    private func bindNew(_ prepared: inout PreparedReload, _ running: Running) throws(ReloadRefused) {
        var problems: [String] = []
        let leaving = prepared.plan.removed.map { running.configuration.listeners[$0] }
        for (place, step) in prepared.plan.steps.enumerated() {
            guard case .add(let number) = step else { continue }
            let wanted = prepared.configuration.listeners[place]
            let listener = Listener(index: number, wanted, prepared.configuration, tls: prepared.snapshots[place])
            do { prepared.sockets[place] = try open(listener) } catch {
                // The port is our own, and about to be given up.
                let isOurs = leaving.contains { $0.unixPath == nil && $0.port == wanted.port }
                if case ListenerError.inUse = error, isOurs, wanted.port >= 1024 || privileges == nil {
                    prepared.late.append(place)
                } else {
                    problems.append(wanted.places.diagnostic(.error, key: "listener", "\(error)").description)
                }
            }
        }
        guard problems.isEmpty else { throw ReloadRefused(problems: problems) }
    }
}
