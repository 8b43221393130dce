import Glibc
import MQTTTestKit
import Testing

/// A folder that outlives the brokers started on it: what `persistence_location` names. Removed with its last owner,
/// unless `MARTLET_TEST_KEEP` is in the environment.
final class StoreFolder: Sendable {
    let path: String

    init() throws {
        var template = Array("/tmp/martlet-store-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw Trouble("mkdtemp: errno \(errno)") }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit {
        if getenv("MARTLET_TEST_KEEP") == nil { run("rm", "-rf", path) }
    }

    /// The store's own file.
    var file: String { "\(path)/martlet.db" }

    /// Bytes of that file alone, without its write-ahead log.
    var fileBytes: Int {
        var status = stat()
        return stat(file, &status) == 0 ? Int(status.st_size) : 0
    }

    /// Bytes of the store with its write-ahead log.
    var bytes: Int {
        ["martlet.db", "martlet.db-wal", "martlet.db-shm"].reduce(0) { sum, name in
            var status = stat()
            return stat("\(path)/\(name)", &status) == 0 ? sum + Int(status.st_size) : sum
        }
    }

    /// A broker on this store that listens on a free port of this machine. Queues have no limit, so that nothing is
    /// dropped by intent. A broker that was killed a moment ago may hold its lock for that moment: starting waits.
    func start(_ settings: String = "", eventLoops: Int? = nil, isPersistent: Bool = true) throws -> BrokerProcess {
        try BrokerProcess.start(configuration(settings, eventLoops: eventLoops, isPersistent: isPersistent))
    }

    /// Starts a broker on this store and kills it after so long, wherever it is by then. Nil, or what is wrong: it had ended by
    /// itself.
    func interruptStart(
        afterMicroseconds patience: UInt32, _ settings: String = "", eventLoops: Int? = nil
    ) throws -> String? {
        guard let port = Loopback.freePort() else { throw Trouble("no free port") }
        let conf = configuration("log_dest stderr\n" + settings, eventLoops: eventLoops)
        let program = try Program(
            ["broker", "-c", "{directory}/broker.conf"],
            files: ["broker.conf": conf.replacing("{port}", with: String(port))])
        usleep(patience)
        program.signal(SIGKILL)
        let status = program.exitStatus(withinMilliseconds: patienceMilliseconds)
        return status == 128 + SIGKILL ? nil : "it ended with \(status as Int32?): \(program.standardError)"
    }

    /// What `start` writes, `{port}` still open.
    func configuration(_ settings: String = "", eventLoops: Int? = nil, isPersistent: Bool = true) -> String {
        // mosquitto, on which the tests themselves are tried, has one loop.
        let loops = BrokerUnderTest.isMosquitto ? nil : eventLoops
        return """
            listener {port} 127.0.0.1
            allow_anonymous true
            max_queued_messages 0
            persistence \(isPersistent)
            persistence_location \(path)/
            \(loops.map { "event_loops \($0)" } ?? "")
            \(settings)

            """
    }
}

/// A step of the test itself that failed.
struct Trouble: Error, CustomStringConvertible {
    let description: String
    init(_ text: String) { description = text }
}

/// How a broker comes to its end.
enum End: String, CaseIterable, Sendable, CustomTestStringConvertible {
    case terminated, killed

    var testDescription: String { self == .killed ? "kill -9" : "SIGTERM" }

    /// Ends it and waits until the process has gone.
    func of(_ broker: BrokerProcess) throws {
        switch self {
        case .terminated:
            guard broker.stop() else { throw Trouble("SIGTERM did not end the broker in time:\n\(broker.log)") }
        case .killed:
            broker.signal(SIGKILL)
            guard Deadline(milliseconds: patienceMilliseconds).wait(until: { !broker.isRunning }) else {
                throw Trouble("kill -9 did not end the broker in time")
            }
        }
    }
}

extension RawClient {
    /// As `connected`, with patience for a busy machine. A 5.0 session that is not cleaned never expires, unless
    /// `properties` say when.
    static func patient(
        _ broker: BrokerProcess, id: String = unique("c"), version: UInt8 = 5, cleanStart: Bool = false,
        will: Wire.Will? = nil, properties: [Property]? = nil, file: StaticString = #fileID, line: UInt = #line
    ) throws -> RawClient {
        let client = try RawClient(
            broker, version: version, deadlineMilliseconds: patienceMilliseconds, file: file, line: line)
        let lasting = version == 5 && !cleanStart ? [Property.sessionExpiryInterval(.max)] : []
        try client.connect(
            id: id, version: version, cleanStart: cleanStart, will: will, properties: properties ?? lasting,
            file: file, line: line)
        return client
    }
}

/// Runs a program of the system to its end; its exit status, 127 where it cannot be started.
@discardableResult
func run(_ command: String...) -> Int32 {
    let arguments: [UnsafeMutablePointer<CChar>?] = command.map { strdup($0) } + [nil]
    defer { arguments.forEach { free($0) } }
    var pid: Int32 = 0
    guard posix_spawnp(&pid, command[0], nil, nil, arguments, environ) == 0 else { return 127 }
    var status: Int32 = 0
    while waitpid(pid, &status, 0) < 0 && errno == EINTR {}
    return status & 0x7F == 0 ? status >> 8 & 0xFF : 128 + status & 0x7F
}
