import Glibc
import MQTTTestKit
import Testing

/// `log_dest syslog`. The C library writes to the socket `/dev/log` and nowhere else, so the test is the system's log for
/// a moment: only where it may be, and where nobody else is.
@Suite(
    "Syslog", .blocking,
    .enabled(if: SystemLog.isVacant, "somebody keeps /dev/log here, or we may not: a real system log is not disturbed"))
struct SyslogTests {
    @Test("Lines reach the system's log with our name, the process, and mosquitto's facility and severities")
    func lines() throws {
        let log = try #require(SystemLog.open(withinMilliseconds: patienceMilliseconds), "errno \(errno)")
        // log_facility 5 is LOCAL5 (21); without it DAEMON (3). Severities: notice 5, information 6.
        for (settings, facility) in [("", 3), ("log_facility 5\n", 21)] {
            let port = try #require(Loopback.freePort())
            let program = try Program(
                ["broker", "-c", "{directory}/broker.conf"],
                files: [
                    "broker.conf": "listener \(port) 127.0.0.1\nallow_anonymous true\nlog_dest syslog\n" + settings
                ])
            #expect(program.answers(port: port))
            let client = try RawClient(port: port, deadlineMilliseconds: patienceMilliseconds)
            try client.connect(id: "visitor %s %n")
            try client.disconnect()
            let sender = "martlet[\(program.pid)]: "
            let running = log.line(from: sender, with: " running", withinMilliseconds: patienceMilliseconds)
            #expect(running?.hasPrefix("<\(facility << 3 | 6)>") == true, "\(running ?? "nothing")")
            let visit = log.line(from: sender, with: "as visitor %s %n (", withinMilliseconds: patienceMilliseconds)
            #expect(visit?.hasPrefix("<\(facility << 3 | 5)>") == true, "\(visit ?? "nothing")")
            program.signal(SIGTERM)
            #expect(program.exitStatus(withinMilliseconds: patienceMilliseconds) == 0)
            #expect(program.standardError.isEmpty && program.standardOutput.isEmpty)
        }
    }

    /// The socket holds a dozen lines; a visit makes three.
    @Test("A system log that takes nothing holds nobody up, and gets every line when it goes on")
    func stopped() throws {
        let log = try #require(SystemLog.open(withinMilliseconds: patienceMilliseconds), "errno \(errno)")
        let port = try #require(Loopback.freePort())
        let program = try Program(
            ["broker", "-c", "{directory}/broker.conf"],
            files: ["broker.conf": "listener \(port) 127.0.0.1\nallow_anonymous true\nlog_dest syslog\n"])
        #expect(program.answers(port: port))
        for number in 0..<20 {
            let client = try RawClient(port: port, deadlineMilliseconds: patienceMilliseconds)
            try client.connect(id: "visitor\(number)")
            try client.disconnect()
        }
        let sender = "martlet[\(program.pid)]: "
        for number in 0..<20 {
            let visit = log.line(
                from: sender, with: "as visitor\(number) (", withinMilliseconds: patienceMilliseconds)
            #expect(visit != nil, "visitor\(number)")
        }
        program.signal(SIGTERM)
        #expect(program.exitStatus(withinMilliseconds: 10_000) == 0)
    }
}

/// The machine's log, kept by the test: a datagram socket at `/dev/log` that goes with the object.
final class SystemLog {
    private static let path = "/dev/log"
    private let descriptor: Int32
    private var lines: [String] = []

    /// Whether nobody listens there, and we could.
    static var isVacant: Bool {
        guard access("/dev", W_OK) == 0 else { return false }
        let descriptor = datagramSocket()
        defer { close(descriptor) }
        return withAddress { connect(descriptor, $0, $1) } != 0 && (errno == ENOENT || errno == ECONNREFUSED)
    }

    /// Waits for its turn: another run of these tests may have it just now.
    static func open(withinMilliseconds limit: Int) -> SystemLog? {
        let descriptor = datagramSocket()
        let isBound = Deadline(milliseconds: limit).wait {
            if isVacant { unlink(path) }  // left behind by a test that died
            return withAddress { bind(descriptor, $0, $1) } == 0
        }
        if isBound { return SystemLog(descriptor) }
        close(descriptor)
        return nil
    }

    private init(_ descriptor: Int32) { self.descriptor = descriptor }

    deinit {
        close(descriptor)
        unlink(SystemLog.path)
    }

    /// The next line of this sender with these words; lines of others pass by.
    func line(from sender: String, with words: String, withinMilliseconds limit: Int) -> String? {
        let deadline = Deadline(milliseconds: limit)
        var buffer = [UInt8](repeating: 0, count: 65_536)
        repeat {
            if let at = lines.firstIndex(where: { $0.contains(sender) && $0.contains(words) }) {
                return lines.remove(at: at)
            }
            guard deadline.wait(for: descriptor, toWrite: false) else { return nil }
            let count = recv(descriptor, &buffer, buffer.count, Int32(MSG_DONTWAIT))
            if count > 0 { lines.append(String(decoding: buffer.prefix(count), as: UTF8.self)) }
        } while deadline.millisecondsLeft > 0
        return nil
    }

    private static func datagramSocket() -> Int32 {
        socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    }

    private static func withAddress<T>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> T) -> T {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
    }
}
