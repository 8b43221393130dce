import Foundation
import Glibc
import MQTTTestKit
import Testing

/// Where log lines go, which of them, and how they begin.
@Suite("Log settings", .blocking)
struct LogDestinationTests {
    /// A broker that has seen one client come and go, and has stopped.
    private func visited(_ settings: String) throws -> Program {
        let port = try #require(Loopback.freePort())
        let program = try Program(
            ["broker", "-c", "{directory}/broker.conf"],
            files: ["broker.conf": "listener \(port) 127.0.0.1\nallow_anonymous true\n" + settings])
        #expect(program.answers(port: port))
        let client = try RawClient(port: port, deadlineMilliseconds: patienceMilliseconds)
        try client.connect(id: "visitor")
        try client.disconnect()
        program.signal(SIGTERM)
        #expect(program.exitStatus(withinMilliseconds: patienceMilliseconds) == 0)
        return program
    }

    private static let line = "as visitor (p2, c1, k60)."

    @Test("Standard error unless the file says otherwise")
    func standardError() throws {
        let program = try visited("")
        #expect(program.standardError.contains(Self.line) && program.standardOutput.isEmpty)
    }

    @Test("log_dest file, stdout, several at once, none")
    func destinations() throws {
        let file = try visited("log_dest file {directory}/martlet.log\n")
        #expect(file.file("martlet.log").contains(Self.line))
        #expect(file.standardError.isEmpty && file.standardOutput.isEmpty)

        let both = try visited("log_dest stdout\nlog_dest file {directory}/martlet.log\n")
        #expect(both.standardOutput.contains(Self.line) && both.file("martlet.log").contains(Self.line))
        #expect(both.standardError.isEmpty)

        let none = try visited("log_dest none\n")
        #expect(none.standardError.isEmpty && none.standardOutput.isEmpty)
    }

    @Test("A log file that cannot be opened stops the start: status 1, with the path")
    func unwritableFile() throws {
        let program = try Program(
            ["broker", "-c", "{directory}/broker.conf"],
            files: ["broker.conf": "log_dest file {directory}/no/such.log\n"])
        #expect(program.exitStatus(withinMilliseconds: patienceMilliseconds) == 1)
        #expect(program.standardError.contains("\(program.directory)/no/such.log"))
    }

    @Test("Why there was no start stands in the log file, too, with file and line")
    func failedStart() throws {
        let port = try #require(Loopback.freePort())
        for (settings, status, words) in [
            ("listener \(port) 192.0.2.1\n", Int32(1), "cannot listen on port \(port) of 192.0.2.1: "),
            ("listener \(port) 127.0.0.1\nsocket_domain ipv6\n", 1, "socket_domain leaves no address of it"),
            (
                "listener \(port) 127.0.0.1\nacl_file /nonexistent/acl\n", 3,
                "broker.conf:3: acl_file /nonexistent/acl: "
            ),
            (
                "listener \(port) 127.0.0.1\ncafile /nonexistent/ca\ncertfile /nonexistent/c\nkeyfile /k\n", 3,
                "broker.conf:4: "
            ),
        ] {
            let program = try Program(
                ["broker", "-c", "{directory}/broker.conf"],
                files: ["broker.conf": "log_dest file {directory}/martlet.log\n" + settings])
            #expect(program.exitStatus(withinMilliseconds: patienceMilliseconds) == status)
            #expect(program.standardError.contains(words), "\(program.standardError)")
            #expect(program.file("martlet.log").contains(words), "\(program.file("martlet.log"))")
        }
    }

    @Test("A log file is continued, not replaced")
    func appends() throws {
        let program = try visited("log_dest file {directory}/martlet.log\n")
        let before = program.file("martlet.log")
        let again = try Program(
            ["broker", "-p", String(try #require(Loopback.freePort())), "-c", "{directory}/broker.conf"],
            files: ["broker.conf": "log_dest file \(program.directory)/martlet.log\n"])
        #expect(
            Deadline(milliseconds: patienceMilliseconds).wait {
                program.file("martlet.log").dropFirst(before.count).contains(" running")
            })
        #expect(program.file("martlet.log").hasPrefix(before))
        again.signal(SIGTERM)
        #expect(again.exitStatus(withinMilliseconds: patienceMilliseconds) == 0)
    }

    @Test("log_timestamp_format and log_timestamp say how a line begins")
    func timestamps() throws {
        let formatted = try visited("log_timestamp_format %Y-%m-%dT%H:%M:%S\n")
        #expect(try starts(formatted, #"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d: "#))
        let plain = try visited("log_timestamp false\n")
        #expect(plain.standardError.hasPrefix("martlet version "))
        let seconds = try visited("")
        #expect(try starts(seconds, #"\d{10}: "#))
    }

    @Test("log_format json: every line is an object of its own")
    func json() throws {
        let program = try visited("log_format json\n")
        let lines = program.standardError.split(separator: "\n")
        #expect(lines.count > 3)
        for line in lines {
            let object = try #require(
                try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: String], "\(line)")
            #expect(Set(object.keys) == ["time", "type", "message"])
            let time = try Regex(#"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"#)
            #expect(try time.wholeMatch(in: object["time"] ?? "") != nil)
        }
        #expect(lines.contains { $0.contains(#""type":"notice""#) && $0.contains("as visitor (p2, c1, k60).") })
        let plain = try visited("log_format json\nlog_timestamp false\n")
        #expect(plain.standardError.hasPrefix(#"{"type":"information","message":"martlet version "#))
    }

    private func starts(_ program: Program, _ pattern: String) throws -> Bool {
        let lines = program.standardError.split(separator: "\n")
        let start = try Regex(pattern)
        return try !lines.isEmpty && lines.allSatisfy { try start.prefixMatch(in: $0) != nil }
    }

    @Test("log_type chooses; none is silence; connection_messages false leaves out who comes and goes")
    func types() throws {
        #expect(try visited("log_type none\n").standardError.isEmpty)
        let information = try visited("log_type information\n").standardError
        #expect(information.contains(" running") && !information.contains("visitor"))
        let debug = try visited("log_type debug\n").standardError
        #expect(debug.contains("Sending CONNACK to visitor (0, 0)") && !debug.contains(" running"))
        let quiet = try visited("connection_messages false\n").standardError
        #expect(quiet.contains(" running") && !quiet.contains("visitor") && !quiet.contains("New connection"))
    }

    @Test("log_dest topic publishes lines below $SYS/broker/log, debug lines never")
    func topic() throws {
        let broker = try BrokerProcess.start(
            BrokerProcess.anonymous + "log_dest topic\nlog_type all\nsys_interval 1\n")
        let reader = try RawClient.patient(broker)
        try reader.subscribe("$SYS/broker/log/#", 0)
        let visitor = try RawClient.patient(broker, id: "visitor")
        try visitor.subscribe("a", 1)
        var wanted: Set = [
            "$SYS/broker/log/N New client connected", "$SYS/broker/log/M/subscribe visitor 1 a",
        ]
        let deadline = Deadline(milliseconds: patienceMilliseconds)
        while !wanted.isEmpty, deadline.millisecondsLeft > 0 {
            let packet = try reader.receivePublish(withinMilliseconds: deadline.millisecondsLeft)
            #expect(!packet.topicText.hasSuffix("/D"))
            if let found = wanted.first(where: { "\(packet.topicText) \(packet.payloadText)".hasPrefix($0) }),
                packet.payloadText.contains("visitor")
            {
                wanted.remove(found)
            }
        }
        #expect(wanted.isEmpty)
    }
}
