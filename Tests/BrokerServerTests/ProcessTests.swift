import Foundation
import Glibc
import MQTTTestKit
import Testing

/// The broker as a process among others: what it tells systemd, log rotation, and whom it becomes.
@Suite("The process", .blocking)
struct ProcessTests {
    private static let open = "listener {port} 127.0.0.1\nallow_anonymous true\n"

    private func conf(_ extra: String, port: UInt16) -> String {
        Self.open.replacing("{port}", with: String(port)) + extra
    }

    // MARK: The first line

    @Test("The first line names the file that was really read, every listener, and who may enter it")
    func firstLine() throws {
        let port = try #require(Loopback.freePort())
        let program = try Program(
            ["broker", "-c", "{directory}/./broker.conf"],
            files: ["broker.conf": conf("listener_auto_id_prefix a-\n", port: port)])
        #expect(program.answers(port: port))
        let first = try #require(program.standardError.split(separator: "\n").first)
        #expect(first.contains(" starting with /"))
        #expect(first.hasSuffix("/broker.conf: port \(port) on 127.0.0.1: everybody"))
        #expect(!first.contains("/./"))

        let other = try #require(Loopback.freePort())
        let local = try Program(["broker", "-p", String(other)])
        #expect(local.answers(port: other))
        #expect(
            local.standardError.split(separator: "\n").first?.contains(
                "starting with no configuration file: port \(other) on 127.0.0.1: everybody; port \(other) on ::1")
                == true)
    }

    // MARK: systemd

    @Test("systemd is told when clients may connect, that every loop turns, and when it stops")
    func notifies() throws {
        let folder = try Folder()
        let socket = try Datagrams(path: "\(folder.path)/notify")
        let port = try #require(Loopback.freePort())
        let program = try Program(
            ["broker", "-c", "{directory}/broker.conf"], files: ["broker.conf": conf("event_loops 2\n", port: port)],
            through: ["/usr/bin/env", "NOTIFY_SOCKET=\(socket.path)", "WATCHDOG_USEC=200000"])
        let ready = try #require(socket.next(withinMilliseconds: patienceMilliseconds))
        #expect(ready.hasPrefix("READY=1\nSTATUS=/"))
        #expect(ready.contains("port \(port) on 127.0.0.1: everybody\n"))
        #expect(ready.hasSuffix("MAINPID=\(program.pid)"))
        #expect(Loopback.answers(.first, port: port))
        for _ in 0..<3 { #expect(socket.next(withinMilliseconds: patienceMilliseconds) == "WATCHDOG=1") }
        func next() -> String? {
            while let said = socket.next(withinMilliseconds: patienceMilliseconds) {
                if said != "WATCHDOG=1" { return said }
            }
            return nil
        }
        program.signal(SIGHUP)
        #expect(next()?.hasPrefix("RELOADING=1\nMONOTONIC_USEC=") == true)
        #expect(next() == ready)
        program.signal(SIGTERM)
        #expect(next()?.hasPrefix("STOPPING=1") == true)
        #expect(program.exitStatus(withinMilliseconds: patienceMilliseconds) == 0)
    }

    @Test(
        "The unit file passes systemd-analyze verify",
        .enabled(if: access("/usr/bin/systemd-analyze", X_OK) == 0, "apt install systemd; `make setup-test` does"))
    func unitFile() throws {
        let repository = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        var unit = try String(
            contentsOf: repository.appendingPathComponent("Packaging/systemd/martlet.service"), encoding: .utf8)
        #expect(unit.contains("Type=notify") && unit.contains("WatchdogSec="))
        // The program is not installed here; that it is there is the one thing verify could not find.
        unit = unit.replacing("ExecStart=/usr/bin/martlet", with: "ExecStart=\(BrokerUnderTest.martlet)")
        let folder = try Folder()
        try unit.write(toFile: "\(folder.path)/martlet.service", atomically: true, encoding: .utf8)
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/systemd-analyze")
        process.arguments = ["verify", "--man=no", "\(folder.path)/martlet.service"]
        let output = Pipe()
        process.standardError = output
        process.standardOutput = FileHandle.nullDevice
        try process.run()
        let said = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
        #expect(!said.contains("martlet.service"), "\(said)")
    }

    // MARK: pid_file

    @Test("A pid_file that cannot be written is warned about and stops nothing")
    func pidFile() throws {
        let other = try #require(Loopback.freePort())
        let without = try Program(
            ["broker", "-c", "{directory}/broker.conf"],
            files: ["broker.conf": conf("pid_file {directory}/no/such.pid\n", port: other)])
        #expect(without.answers(port: other))
        #expect(
            Deadline(milliseconds: patienceMilliseconds).wait {
                without.standardError.contains("/no/such.pid cannot be written: No such file or directory.")
            })
    }

    // MARK: The log file

    @Test("SIGHUP opens the log file anew, for log rotation")
    func reopensLog() throws {
        let port = try #require(Loopback.freePort())
        let program = try Program(
            ["broker", "-c", "{directory}/broker.conf"],
            files: ["broker.conf": conf("log_dest file {directory}/martlet.log\n", port: port)])
        #expect(program.answers(port: port))
        let log = "\(program.directory)/martlet.log"
        #expect(rename(log, log + ".1") == 0)
        program.signal(SIGHUP)
        #expect(
            Deadline(milliseconds: patienceMilliseconds).wait {
                program.file("martlet.log").contains("Config reloaded: nothing has changed.")
            })
        #expect(program.file("martlet.log.1").contains(" running"))
        #expect(program.isRunning)
    }

    @Test("SIGRTMIN opens the log file anew and reads no configuration; SIGUSR2 writes one line of what there is")
    func otherSignals() throws {
        let port = try #require(Loopback.freePort())
        let program = try Program(
            ["broker", "-c", "{directory}/broker.conf"],
            files: ["broker.conf": conf("log_dest file {directory}/martlet.log\n", port: port)])
        #expect(program.answers(port: port))
        let log = "\(program.directory)/martlet.log"
        #expect(rename(log, log + ".1") == 0)
        #expect(
            Deadline(milliseconds: patienceMilliseconds).wait {
                program.signal(__libc_current_sigrtmin())  // while it starts it is ignored: said again
                return access(log, F_OK) == 0
            })
        program.signal(SIGUSR2)
        #expect(
            Deadline(milliseconds: patienceMilliseconds).wait {
                program.file("martlet.log").contains("Status: clients connected: 0, sessions: 0, subscriptions: 0,")
            })
        #expect(!program.file("martlet.log").contains("Reloading config."))
        #expect(program.isRunning)
    }

    @Test("Where it cannot be opened anew, lines go on into the old file")
    func keepsOldLog() throws {
        let folder = try Folder()
        #expect(mkdir("\(folder.path)/logs", 0o700) == 0)
        let port = try #require(Loopback.freePort())
        let program = try Program(
            ["broker", "-c", "{directory}/broker.conf"],
            files: ["broker.conf": conf("log_dest file \(folder.path)/logs/martlet.log\n", port: port)])
        #expect(program.answers(port: port))
        #expect(rename("\(folder.path)/logs", "\(folder.path)/old") == 0)
        program.signal(SIGHUP)
        #expect(
            Deadline(milliseconds: patienceMilliseconds).wait {
                let log = try? String(contentsOfFile: "\(folder.path)/old/martlet.log", encoding: .utf8)
                return log?.contains("Lines go on into the old file.") == true
            })
        #expect(program.isRunning)
    }

    // MARK: user

    @Test(
        "`user` makes root's process another's, after its files are open; what it makes is that user's",
        .enabled(if: geteuid() == 0 && getpwnam("nobody") != nil, "only root can become somebody else"))
    func dropsPrivileges() throws {
        let nobody = try #require(getpwnam("nobody")).pointee
        let folder = try Folder()
        #expect(chown(folder.path, nobody.pw_uid, nobody.pw_gid) == 0)
        let port = try #require(Loopback.freePort())
        let program = try Program(
            ["broker", "-c", "{directory}/broker.conf"],
            files: [
                "broker.conf": conf(
                    """
                    user nobody
                    persistence true
                    persistence_location \(folder.path)
                    log_dest file \(folder.path)/m.log
                    log_dest stderr

                    """, port: port)
            ])
        #expect(program.answers(port: port))
        let running = Deadline(milliseconds: patienceMilliseconds).wait { program.standardError.contains(" running") }
        #expect(running, "\(program.standardError)")
        let status = try String(contentsOfFile: "/proc/\(program.pid)/status", encoding: .utf8)
        let uid = nobody.pw_uid
        #expect(status.contains("Uid:\t\(uid)\t\(uid)\t\(uid)\t\(uid)\n"))
        for thread in try FileManager.default.contentsOfDirectory(atPath: "/proc/\(program.pid)/task") {
            let status = try String(contentsOfFile: "/proc/\(program.pid)/task/\(thread)/status", encoding: .utf8)
            #expect(status.contains("Uid:\t\(uid)\t\(uid)\t\(uid)\t\(uid)\n"), "thread \(thread)")
        }
        for file in ["martlet.db", "m.log"] {
            var info = stat()
            #expect(stat("\(folder.path)/\(file)", &info) == 0)
            #expect(info.st_uid == uid, "\(file)")
        }
        try RawClient(port: port, deadlineMilliseconds: patienceMilliseconds).connect(id: unique("c"))
        program.signal(SIGTERM)
        #expect(program.exitStatus(withinMilliseconds: patienceMilliseconds) == 0)
    }

    @Test(
        "what root opens for its user it opens through no link of that user's: pid_file, log file",
        .enabled(if: geteuid() == 0 && getpwnam("nobody") != nil, "only root can become somebody else"))
    func followsNoLinks() throws {
        let nobody = try #require(getpwnam("nobody")).pointee
        let folder = try Folder()
        #expect(chown(folder.path, nobody.pw_uid, nobody.pw_gid) == 0)
        let secrets = try Folder()
        let secret = "\(secrets.path)/shadow"
        try "precious".write(toFile: secret, atomically: true, encoding: .utf8)
        #expect(chmod(secret, 0o600) == 0)
        for name in ["x.pid", "x.log"] { #expect(symlink(secret, "\(folder.path)/\(name)") == 0) }
        func untouched() throws -> Bool {
            var info = stat()
            let isThere = stat(secret, &info) == 0 && info.st_uid == 0
            return try isThere && String(contentsOfFile: secret, encoding: .utf8) == "precious"
        }

        let port = try #require(Loopback.freePort())
        let running = try Program(
            ["broker", "-c", "{directory}/broker.conf"],
            files: ["broker.conf": conf("user nobody\npid_file \(folder.path)/x.pid\n", port: port)])
        #expect(running.answers(port: port))
        #expect(
            Deadline(milliseconds: patienceMilliseconds).wait {
                running.standardError.contains("/x.pid cannot be written")
            })
        #expect(try untouched())

        let refused = try Program(
            ["broker", "-c", "{directory}/broker.conf"],
            files: ["broker.conf": "user nobody\nlog_dest file \(folder.path)/x.log\n"])
        #expect(refused.exitStatus(withinMilliseconds: patienceMilliseconds) == 1)
        #expect(refused.standardError.contains("/x.log: cannot open it for writing"))
        #expect(try untouched())
    }

    @Test(
        "a user that is not there stops the start: status 1, with the name",
        .enabled(if: geteuid() == 0, "only root can become somebody else"))
    func unknownUser() throws {
        let program = try Program(
            ["broker", "-c", "{directory}/broker.conf"], files: ["broker.conf": "user nobody-of-that-name\n"])
        #expect(program.exitStatus(withinMilliseconds: patienceMilliseconds) == 1)
        #expect(program.standardError.contains("user nobody-of-that-name: there is no such user"))
    }
}

/// A Unix socket of datagrams, as systemd listens on one.
private final class Datagrams {
    let path: String
    private let descriptor: Int32

    init(path: String) throws {
        self.path = path
        descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let status = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        try #require(descriptor >= 0 && status == 0, "a socket at \(path)")
    }

    deinit { close(descriptor) }

    func next(withinMilliseconds limit: Int) -> String? {
        var poller = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        guard poll(&poller, 1, Int32(limit)) == 1 else { return nil }
        var buffer = [UInt8](repeating: 0, count: 65_536)
        let count = recv(descriptor, &buffer, buffer.count, 0)
        guard count > 0 else { return nil }
        return String(decoding: buffer[..<count], as: UTF8.self)
    }
}
