import Glibc
import Synchronization

/// Which broker the tests talk to. `MARTLET_TEST_BROKER`: unset or `martlet` is the program beside the test bundle,
/// `mosquitto` is /usr/sbin/mosquitto, anything else is a command that is run with `-c CONF` behind it.
package enum BrokerUnderTest {
    package static let choice = environment("MARTLET_TEST_BROKER") ?? "martlet"
    /// For differences that are explained in Docs/differences-from-mosquitto.md.
    package static let isMosquitto = choice.split(separator: " ").first?.hasSuffix("mosquitto") ?? false

    static var command: [String] {
        switch choice {
        case "martlet", "": [martlet, "broker"]
        case "mosquitto": ["/usr/sbin/mosquitto"]
        default: choice.split(separator: " ").map(String.init)
        }
    }

    /// The program itself.
    package static var martlet: String { siblingOfTestBundle("martlet") }

    /// The test binary lies in the same folder as the products it was built with.
    private static func siblingOfTestBundle(_ name: String) -> String {
        var buffer = [CChar](repeating: 0, count: 4_096)
        let count = readlink("/proc/self/exe", &buffer, buffer.count)
        let path = String(decoding: buffer.prefix(max(0, count)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let folder = path.split(separator: "/").dropLast().joined(separator: "/")
        return "/\(folder)/\(name)"
    }

    /// `MARTLET_TEST_EVENT_LOOPS`: so many event loops for every broker whose configuration does not say itself. Not for
    /// mosquitto, which has one.
    static let eventLoops = isMosquitto ? nil : environment("MARTLET_TEST_EVENT_LOOPS").flatMap { Int($0) }

    static func environment(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }
}

/// A broker that runs for the tests: its own free port, its own folder for configuration and log. It ends when `stop`
/// is called, and in any case when the test process ends, however that ends: a small watcher holds the other end of a
/// socket pair, and stops the broker, by its pid, once that closes.
package final class BrokerProcess: Sendable {
    /// A start that failed, with the log.
    package struct StartFailure: Error, CustomStringConvertible {
        package let description: String
        package init(description: String) { self.description = description }
    }

    /// What a test gets that does not ask for more.
    package static let anonymous = "listener {port} 127.0.0.1\nallow_anonymous true\n"

    package let port: UInt16
    package let pid: Int32
    /// Holds `broker.conf`, `broker.log` and whatever a test put there; in a configuration `{directory}`.
    package let directory: String
    private let lifeline: Int32
    private let exited = Mutex(false)

    private static let running = Mutex<[String: BrokerProcess]>([:])

    /// The one broker of this process with this configuration, started when first asked for.
    package static func shared(_ configuration: String = anonymous) throws -> BrokerProcess {
        try running.withLock { running in
            if let broker = running[configuration] { return broker }
            let broker = try start(configuration)
            running[configuration] = broker
            return broker
        }
    }

    /// Debian's mosquitto, for tests of what it leaves on disk; nil where it is not installed (`make setup` does).
    package static let mosquitto: String? = access("/usr/sbin/mosquitto", X_OK) == 0 ? "/usr/sbin/mosquitto" : nil

    /// A broker of one's own. `files` (name, text) are written beside the configuration first. `program` runs another
    /// than the one under test: `mosquitto`.
    package static func start(
        _ configuration: String = anonymous, files: [String: String] = [:], program: String? = nil
    ) throws -> BrokerProcess {
        var failure = StartFailure(description: "no free port")
        for _ in 0..<3 {
            guard let port = Loopback.freePort() else { continue }
            do {
                return try BrokerProcess(configuration, files: files, port: port, program: program)
            } catch let reason as StartFailure {
                failure = reason
            }
        }
        throw failure
    }

    private init(_ configuration: String, files: [String: String], port: UInt16, program: String?) throws {
        let folder = try Scratch.makeDirectory()
        var text = configuration.replacing("{port}", with: String(port)).replacing("{directory}", with: folder)
        // mosquitto started by root gives its rights away, and could then not read files of ours.
        let isMosquitto = program.map { $0 == Self.mosquitto } ?? BrokerUnderTest.isMosquitto
        if isMosquitto { text += "\nuser root\n" }
        if let loops = BrokerUnderTest.eventLoops, program == nil, !text.contains("event_loops") {
            text += "\nevent_loops \(loops)\n"
        }
        for (name, content) in files { try Scratch.write(content, to: "\(folder)/\(name)") }
        try Scratch.write(text, to: "\(folder)/broker.conf")
        let log = "\(folder)/broker.log"
        let command = (program.map { [$0] } ?? BrokerUnderTest.command) + ["-c", "\(folder)/broker.conf"]
        guard let pid = Spawn.run(command, output: log) else {
            throw StartFailure(description: "cannot run \(command): errno \(errno)")
        }
        self.port = port
        self.pid = pid
        directory = folder
        lifeline = Spawn.watch(pid, directory: folder)
        try waitUntilItAccepts(milliseconds: patienceMilliseconds)
    }

    deinit {
        stop()
        close(lifeline)
    }

    /// What the broker has said so far.
    package var log: String { Scratch.read("\(directory)/broker.log") }

    /// False once the process has ended.
    package var isRunning: Bool {
        exited.withLock { exited in
            if !exited { exited = waitpid(pid, nil, WNOHANG) == pid }
            return !exited
        }
    }

    /// Sends a signal to the broker.
    package func signal(_ number: Int32) {
        if isRunning { kill(pid, number) }
    }

    /// Asks the broker to end and waits for it; after a minute it is killed. True when it went by itself.
    @discardableResult
    package func stop() -> Bool {
        signal(SIGTERM)
        let deadline = Deadline(milliseconds: patienceMilliseconds)
        while isRunning, deadline.millisecondsLeft > 0 { usleep(5_000) }
        guard isRunning else { return true }
        kill(pid, SIGKILL)
        while isRunning { usleep(5_000) }
        return false
    }

    private func waitUntilItAccepts(milliseconds: Int) throws {
        let deadline = Deadline(milliseconds: milliseconds)
        while deadline.millisecondsLeft > 0, isRunning {
            if let descriptor = Loopback.connect(port: port) {
                close(descriptor)
                return
            }
            usleep(5_000)
        }
        let failure = StartFailure(description: "the broker does not accept on port \(port):\n\(log)")
        stop()
        throw failure
    }
}
