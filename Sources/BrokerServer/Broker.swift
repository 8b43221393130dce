import BrokerAccess
package import BrokerConfiguration
import BrokerCore
import BrokerStore
import Dispatch
import Glibc
import MQTTTransport
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix

/// The running broker: shards on their loops, listeners, `$SYS`. It is started once, runs until `stop`, and decides
/// nothing about MQTT.
package final class Broker: Sendable {
    let log: LogWriter
    /// `nil` where there are none to give up.
    let privileges: Privileges?
    let service = ServiceNotification()
    let store: Store?
    /// What decides whose session a client's is.
    let homeKey: UInt64
    let group: MultiThreadedEventLoopGroup
    let clock: ServerClock
    let loops: [NIOLoopBound<ShardLoop>]
    let secrets: StartSecrets
    let keyLog: KeyLog?
    let doorkeeper: Doorkeeper
    /// Where files are read and a reload is made, one thing after another, beside the event loops.
    let chores = DispatchQueue(label: "martlet.chores")
    let state: NIOLockedValueBox<Running>
    let watch: NIOLockedValueBox<Watch>
    let sys: NIOLockedValueBox<Sys>

    /// How long clients get to take their last packet when the broker stops.
    private static let stopGrace = TimeAmount.seconds(2)

    /// Opens the store and builds the shards; nothing listens yet. Throws where log or store cannot be opened, and
    /// `TransportProblems` where certificates, keys or ciphers cannot be used.
    package init(_ configuration: BrokerConfiguration, _ secrets: StartSecrets = StartSecrets()) throws {
        self.secrets = secrets
        let privileges = try Privileges(user: configuration.user)
        self.privileges = privileges
        log = try LogWriter(configuration.log, privileges)
        keyLog = try secrets.tlsKeyLog.map { try KeyLog(path: $0) }
        // Before the files are read: what changes meanwhile is noticed.
        let stamps = FileStamps.all(configuration)
        watch = NIOLockedValueBox(Watch(files: FileWatch(FileStamps.tls(configuration))))
        let snapshots = try Broker.makeSnapshots(configuration, secrets, keyLog)
        let count = configuration.eventLoopCount ?? System.coreCount
        let group = MultiThreadedEventLoopGroup(numberOfThreads: count)
        self.group = group
        var wall = timeval()
        gettimeofday(&wall, nil)
        let clock = ServerClock(wallSeconds: Double(wall.tv_sec) + Double(wall.tv_usec) / 1e6)
        self.clock = clock
        let listeners = configuration.listeners.enumerated().map {
            Listener(index: $0.offset, $0.element, configuration, tls: snapshots[$0.offset])
        }
        let settings = ShardSettings(configuration)
        let listenerSettings = configuration.listeners.map { ListenerSettings($0, configuration) }
        let access = try Broker.loadAccess(configuration)
        state = NIOLockedValueBox(
            Running(
                configuration: configuration, listeners: listeners, numberCount: listeners.count, files: access,
                access: access,
                stamps: stamps))
        sys = NIOLockedValueBox(Sys(topics: SysTopics(now: clock.now())))
        let doorkeeper = Doorkeeper(threads: Doorkeeper.threads(beside: count))
        self.doorkeeper = doorkeeper
        let log = log
        let census = Census()
        let eventLoops = Array(group.makeIterator())
        let mailboxes = eventLoops.map { Mailbox(eventLoop: $0) }
        let openStore = { try Broker.openStore(configuration, mailboxes, log) }
        let store = try privileges.map { try $0.lowered(openStore) } ?? openStore()
        self.store = store
        let homeKey = store?.homeKey ?? UInt64.random(in: .min ... .max)
        self.homeKey = homeKey
        loops = try eventLoops.enumerated().map { index, eventLoop in
            let seed = UInt64.random(in: .min ... .max)
            return try eventLoop.submit {
                let shard = Shard(
                    index: index, count: mailboxes.count, homeKey: homeKey, census: census, settings: settings,
                    listeners: listenerSettings, policy: access.policy, seed: seed)
                let loop = ShardLoop(
                    eventLoop: eventLoop, shard: shard, mailboxes: mailboxes, homeKey: homeKey, clock: clock, log: log,
                    storage: LoopStorage(store), access: access, doorkeeper: doorkeeper)
                return NIOLoopBound(loop, eventLoop: eventLoop)
            }.wait()
        }
        for (mailbox, loop) in zip(mailboxes, loops) { mailbox.setReader(loop) }
    }

    // MARK: Running

    /// Opens the listeners. When it returns, clients may connect.
    /// - Parameter source: where the configuration came from, and will be read again.
    package func start(source: ConfigurationSource, warnings: [Diagnostic]) throws {
        do { try begin(source, warnings) } catch {
            log.flush()
            throw error
        }
    }

    private func begin(_ source: ConfigurationSource, _ warnings: [Diagnostic]) throws {
        let configuration = running.configuration
        let summary = configuration.summary(source: source.file.map(Broker.absolute))
        _ = OpenFiles.raiseLimit()
        signal(SIGPIPE, SIG_IGN)
        signal(SIGXFSZ, SIG_IGN)  // a file that may not grow is told by its write, not by our end
        log.write(
            .information,
            "martlet version \(Martlet.version) starting with \(summary)")
        log.write(
            .information, source.file.map { "Config loaded from \($0)." } ?? "Using default config.")
        for warning in warnings { log.write(.warning, "Warning: \(warning)") }
        for remark in running.access.remarks { log.write(.warning, "Warning: \(remark)") }
        if configuration.isLocalOnly {
            log.write(
                .information,
                "Starting in local only mode. Connections will only be possible from clients running on this machine.")
            log.write(.information, "Create a configuration file which defines a listener to allow remote access.")
        }
        if let store { try restore(from: store) }
        warnAboutTransport(of: running.listeners)
        if let path = secrets.tlsKeyLog {
            log.write(
                .warning,
                "Warning: the secrets of every TLS connection are written to \(path): whoever reads it reads along.")
        }
        let sockets = try running.listeners.map { try open($0) }
        state.withLockedValue { $0.sockets = sockets }
        if let path = configuration.pidFile { writePid(path) }
        try dropPrivileges()
        startSys(every: configuration.sysIntervalSeconds)
        for socket in sockets { socket.startAccepting() }
        log.write(.information, "martlet version \(Martlet.version) running")
        service?.ready(status: summary)
        startWatchdog()
        startWatch()
    }

    /// Why there was no start, for who looks for it in the log: standard error has it from whoever calls this. Where the log cannot be
    /// opened, that was the reason.
    package static func recordFailure(_ problems: [String], _ configuration: BrokerConfiguration) {
        guard let log = try? LogWriter(configuration.log, try Privileges(user: configuration.user)) else { return }
        for problem in problems { log.writeAside(.error, "Error: \(problem)") }
        log.flush()
    }

    /// Tells every client, waits until they have heard, and stops. Returns within ten seconds.
    package func stop() async {
        log.write(.information, "martlet version \(Martlet.version) terminating")
        service?.stopping()
        await endChores()
        for loop in loops {
            loop.eventLoop.execute { loop.value.shutDown() }
        }
        try? await Task.sleep(for: .milliseconds(50))
        let deadline = NIODeadline.now() + Broker.stopGrace
        while NIODeadline.now() < deadline {
            var connections = 0
            for loop in loops {
                connections += (try? await loop.eventLoop.submit { loop.value.status().connections }.get()) ?? 0
            }
            if connections == 0 { break }
            try? await Task.sleep(for: .milliseconds(20))
        }
        doorkeeper.close()
        closeStore()
        try? await group.shutdownGracefully()
        let running = running
        for socket in running.sockets { socket.removeFile() }
        if let path = running.configuration.pidFile { unlink(path) }
        log.flush()
    }
}

/// What a reload replaces, all of it or nothing.
struct Running: Sendable {
    var configuration: BrokerConfiguration
    /// In the order of the configuration.
    var listeners: [Listener]
    /// Theirs, in the same order; empty before the start.
    var sockets: [ListeningSocket] = []
    /// Those that have gone, until their last connection has too.
    var retired: [Listener] = []
    /// Listeners have had numbers below this one.
    var numberCount: Int
    /// Access as the files say it, in the order of the configuration.
    var files: AccessSnapshot
    /// The same by the listeners' numbers.
    var access: AccessSnapshot
    /// Of the files when they were read.
    var stamps: FileStamps

    /// Numbers that nobody uses any more.
    var freeNumbers: [Int] {
        let used = Set((listeners + retired.filter { !$0.isForgotten }).map(\.index))
        return (0..<numberCount).filter { !used.contains($0) }
    }
}

extension Broker {
    var running: Running { state.withLockedValue { $0 } }
}

// MARK: The process

extension Broker {
    /// SIGRTMIN, for log rotation: the log file is opened anew by its name.
    package func reopenLog() {
        do { try log.reopen() } catch {
            log.write(.error, "Error: \(error). Lines go on into the old file.")
        }
    }

    private func dropPrivileges() throws {
        guard let privileges else { return }
        try privileges.drop()
        let hidden = FileStamps.unreadable(running.configuration)
        if !hidden.isEmpty {
            log.write(
                .warning,
                "Warning: the user \(privileges.name) may not read \(hidden.joined(separator: ", ")): what changes there counts "
                    + "from the next start on only.")
        }
        log.write(.information, "Ports are open and files are read: going on as the user \(privileges.name).")
    }

    /// Tells systemd that every loop turns, twice in the time it allows. A loop that hangs is not waited for: then nothing is
    /// told, and systemd starts the broker anew.
    private func startWatchdog() {
        guard let service, let allowed = service.watchdogMicroseconds, let first = loops.first else { return }
        let loops = loops
        let interval = TimeAmount.microseconds(Int64(max(allowed / 2, 1)))
        first.eventLoop.scheduleRepeatedAsyncTask(initialDelay: .zero, delay: interval) { _ in
            EventLoopFuture.whenAllSucceed(loops.map { $0.eventLoop.submit {} }, on: first.eventLoop).map { _ in
                service.alive()
            }
        }
    }

    /// The path from the root, for who looks for the file that was really read.
    static func absolute(_ path: String) -> String {
        guard let resolved = realpath(path, nil) else { return path }
        defer { free(resolved) }
        return String(cString: resolved)
    }

    /// Nobody is served worse for want of this file, so its absence stops nothing: a folder below /run is often made by
    /// whoever starts a service, and not there at another start.
    private func writePid(_ path: String) {
        let flags = O_WRONLY | O_CREAT | O_CLOEXEC
        let descriptor: Int32
        if let privileges {
            descriptor = (try? privileges.open(path, flags, mode: 0o644)) ?? -1
        } else {
            descriptor = Glibc.open(path, flags, 0o644)
        }
        guard descriptor >= 0 else { return warnOfPid(path) }
        defer { close(descriptor) }
        let text = "\(getpid())\n"
        guard ftruncate(descriptor, 0) == 0, Glibc.write(descriptor, text, text.utf8.count) == text.utf8.count else {
            return warnOfPid(path)
        }
    }

    private func warnOfPid(_ path: String) {
        log.write(.warning, "Warning: pid_file \(path) cannot be written: \(String(cString: strerror(errno))).")
    }
}
