import Glibc
import MQTTTestKit
import Testing

/// How the program ends.
@Suite("Stop", .blocking)
struct StopTests {
    private func run(_ conf: String = "") throws -> (program: Program, port: UInt16) {
        let port = try #require(Loopback.freePort())
        let program = try Program(
            ["broker", "-c", "{directory}/broker.conf"],
            files: ["broker.conf": "listener \(port) 127.0.0.1\nallow_anonymous true\n" + conf])
        #expect(program.answers(port: port))
        return (program, port)
    }

    @Test(
        "SIGTERM and SIGINT: 5.0 clients are told 0x8B, others see a close, the process is gone within 10 s with status 0",
        arguments: [SIGTERM, SIGINT], [1, 3])
    func saysGoodbye(signal: Int32, loops: Int) throws {
        let (program, port) = try run("event_loops \(loops)\n")
        var clients: [RawClient] = []
        for version in [UInt8(3), 4, 5, 5] {
            let client = try RawClient(port: port, version: version, deadlineMilliseconds: patienceMilliseconds)
            try client.connect(id: unique("c"), version: version)
            clients.append(client)
        }
        let stranger = try RawClient(port: port, deadlineMilliseconds: patienceMilliseconds)
        program.signal(signal)
        for client in clients {
            let last = try client.packetsUntilClosed()
            if client.version == 5 {
                #expect(last.map(\.kind) == [.disconnect] && last.first?.reasonCode == 0x8B)
            } else {
                #expect(last.isEmpty)
            }
        }
        try stranger.packetsUntilClosed()
        #expect(program.exitStatus(withinMilliseconds: patienceMilliseconds) == 0)
        #expect(program.standardError.contains("terminating"))
        #expect(program.standardError.contains("disconnected, server shutting down."))
    }

    @Test("A client that reads nothing does not hold up the end")
    func stoppedReader() throws {
        let (program, port) = try run()
        let reader = try RawClient(port: port, deadlineMilliseconds: patienceMilliseconds)
        try reader.connect(id: unique("c"))
        try reader.subscribe("flood", 0)
        let writer = try RawClient(port: port, deadlineMilliseconds: patienceMilliseconds)
        try writer.connect(id: unique("c"))
        let message = Wire.publish(topic: "flood", payload: String(repeating: "x", count: 100_000))
        // Until the broker pauses the writer, because the reader's output is full.
        var sent = 0
        while sent < 300, writer.offer(message[...], withinMilliseconds: 300) == message.count { sent += 1 }
        program.signal(SIGTERM)
        #expect(program.exitStatus(withinMilliseconds: patienceMilliseconds) == 0)
    }

    @Test("pid_file holds the process id while the broker runs, and is gone afterwards")
    func pidFile() throws {
        let (program, _) = try run("pid_file {directory}/martlet.pid\n")
        #expect(Deadline(milliseconds: patienceMilliseconds).wait { program.file("martlet.pid") == "\(program.pid)\n" })
        program.signal(SIGTERM)
        #expect(program.exitStatus(withinMilliseconds: patienceMilliseconds) == 0)
        #expect(!program.hasFile("martlet.pid"))
    }
}
