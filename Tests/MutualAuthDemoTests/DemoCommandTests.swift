import Foundation
import MQTTTestKit
import Testing

/// `martlet demo mutual-auth` as the guide has it: from `martlet certs` to a green run, and into every wall on the way.
@Suite("martlet demo mutual-auth", .timeLimit(.minutes(10)))
struct DemoCommandTests {
    /// A tutorial's certificates, and a key store made of them.
    final class Desk: Sendable {
        let folder: String

        init() throws {
            folder = NSTemporaryDirectory() + "martlet-demo-" + unique("desk")
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            try martlet("certs demo-set @/certs --host localhost --client thing")
            try martlet("certs demo-set @/others --host localhost --client stranger")
            try martlet(
                "provision import --cert @/certs/client.crt --key @/certs/client.key --root @/certs/ca.crt --store @/keys"
            )
            try martlet(
                "provision import --cert @/others/client.crt --key @/others/client.key --root @/certs/ca.crt --store @/foreign"
            )
        }

        deinit { try? FileManager.default.removeItem(atPath: folder) }

        func arguments(_ words: String) -> [String] {
            words.split(separator: " ").map { String($0).replacing("@", with: folder) }
        }

        private func martlet(_ words: String) throws {
            let program = try Program(arguments(words))
            try #require(program.exitStatus(withinMilliseconds: 120_000) == 0, "\(words): \(program.standardError)")
        }

        var configuration: String {
            """
            cafile \(folder)/certs/ca.crt
            certfile \(folder)/certs/server.crt
            keyfile \(folder)/certs/server.key
            require_certificate true
            use_identity_as_username true
            log_type all
            """
        }

        func broker(_ program: String? = nil) throws -> BrokerProcess {
            try BrokerProcess.start("listener {port} 127.0.0.1\n\(configuration)", program: program)
        }

        /// Pauses are short, what waits for others is patient.
        func demo(port: UInt16, _ more: String = "") throws -> Program {
            try Program(
                arguments(
                    "demo mutual-auth --host localhost --port \(port) --publish-pause 5 --iteration-pause 5"
                        + " --connack-timeout 100000 --loop-timeout 4000 \(more.contains("--store") ? "" : "--store @/keys ")\(more)"
                ))
        }
    }

    static let desk = Result { try Desk() }

    @Test(
        "[FR-1] [FR-8] three iterations: the console is the golden file, the broker saw 3 connects, 15 messages, 3 goodbyes"
    )
    func golden() throws {
        let broker = try Self.desk.get().broker()
        defer { broker.stop() }
        let demo = try Self.desk.get().demo(port: broker.port)
        #expect(demo.exitStatus(withinMilliseconds: 200_000) == 0, "\(demo.standardOutput)\(demo.standardError)")
        let url = try #require(Bundle.module.url(forResource: "Golden/mutual-auth", withExtension: "txt"))
        let golden = try String(contentsOf: url, encoding: .utf8)
        #expect(Self.withoutTimes(demo.standardOutput, broker.port) == golden)
        #expect(demo.standardError.isEmpty)
        let log = broker.log
        #expect(log.matches(of: /New client connected from .* as thing \(p2, c1, k60, u'thing'\)/).count == 3)
        #expect(log.matches(of: /Received PUBLISH from thing \(d0, q1, r0/).count == 15)
        #expect(log.matches(of: /Sending PUBLISH to thing \(d0, q1, r0/).count == 15)
        #expect(log.matches(of: /Received PUBACK from thing/).count == 15)
        #expect(log.matches(of: /Received DISCONNECT from thing/).count == 3)
        #expect(log.matches(of: /Client thing disconnected\./).count == 3)
    }

    static func withoutTimes(_ text: String, _ port: UInt16) -> String {
        text.replacing(/\d+ ms/, with: "N ms").replacing(":\(port)", with: ":PORT")
    }

    @Test("against mosquitto, too")
    func mosquitto() throws {
        let program = try #require(BrokerProcess.mosquitto)
        let broker = try Self.desk.get().broker(program)
        defer { broker.stop() }
        let demo = try Self.desk.get().demo(port: broker.port)
        #expect(demo.exitStatus(withinMilliseconds: 200_000) == 0, "\(demo.standardOutput)\(demo.standardError)")
    }

    @Test("[FR-9] --iterations 0 goes on")
    func forEver() throws {
        let broker = try Self.desk.get().broker()
        defer { broker.stop() }
        let demo = try Self.desk.get().demo(port: broker.port, "--iterations 0 --publishes 1")
        #expect(Deadline(milliseconds: 120_000).wait { demo.standardOutput.contains("Iteration 5 succeeded.") })
        #expect(demo.isRunning)
    }

    @Test("a broker that comes later is found, without a restart")
    func laterBroker() throws {
        let first = try Self.desk.get().broker()
        let port = first.port
        first.stop()
        let demo = try Self.desk.get().demo(port: port, "--iterations 1 --retries 1000 --retry-base 50 --retry-max 100")
        #expect(Deadline(milliseconds: 120_000).wait { demo.standardOutput.contains("Retry 2 of 1000") })
        let broker = try Program(
            ["broker", "-c", "{directory}/b.conf"],
            files: ["b.conf": "listener \(port) 127.0.0.1\n\(try Self.desk.get().configuration)"])
        #expect(demo.exitStatus(withinMilliseconds: 200_000) == 0, "\(demo.standardOutput)")
        broker.signal(SIGTERM)
    }

    @Test(
        "what must not work does not: exit status 1, and both sides say why",
        arguments: [
            (
                "--store @/foreign", "the server said 'certificate unknown'",
                "does not trust|unknown|issuer|authority"
            ),
            ("--cafile @/others/ca.crt", "no certificate of an authority|issuer|authority", "unknown ca|certificate"),
            ("--host 127.0.0.2 --cafile @/certs/ca.crt", "TLS: no connection", ""),
        ])
    func refused(_ more: String, _ words: String, _ logged: String) throws {
        let broker = try Self.desk.get().broker()
        defer { broker.stop() }
        let demo = try Self.desk.get().demo(port: broker.port, "\(more) --iterations 1 --retries 1 --retry-base 1")
        #expect(demo.exitStatus(withinMilliseconds: 200_000) == 1)
        #expect(try demo.standardOutput.contains(Regex(words)), "\(demo.standardOutput)")
        #expect(demo.standardOutput.hasSuffix("Demo failed: 0 of 1 iterations succeeded, 1 are required.\n"))
        #expect(try broker.log.contains(Regex(logged)), "\(broker.log)")
    }

    @Test("[FR-7] nobody there: six attempts, exit status 1")
    func nobody() throws {
        let gone = try Self.desk.get().broker()
        let port = gone.port
        gone.stop()
        let demo = try Self.desk.get().demo(port: port, "--iterations 1 --retry-base 1 --retry-max 2")
        #expect(demo.exitStatus(withinMilliseconds: 200_000) == 1)
        #expect(demo.standardOutput.matches(of: /TLS: connecting to/).count == 6)
        #expect(demo.standardOutput.hasSuffix("Demo failed: 0 of 1 iterations succeeded, 1 are required.\n"))
    }

    @Test("[FR-7] a broker that denies the filter: six SUBSCRIBEs in its log, a goodbye, exit status 1")
    func denied() throws {
        let program = try #require(BrokerProcess.mosquitto)
        let plugin = "/usr/lib/x86_64-linux-gnu/mosquitto_dynamic_security.so"
        let desk = try Self.desk.get()
        let rights =
            #"{"defaultACLAccess": {"publishClientSend": true, "publishClientReceive": true, "subscribe": false, "#
            + #""unsubscribe": true}, "clients": [{"username": "thing", "roles": []}], "groups": [], "roles": []}"#
        let file = desk.folder + "/dynamic-security.json"
        try rights.write(toFile: file, atomically: true, encoding: .utf8)
        let broker = try BrokerProcess.start(
            "per_listener_settings false\nplugin \(plugin)\nplugin_opt_config_file \(file)\n"
                + "listener {port} 127.0.0.1\n\(desk.configuration)", program: program)
        defer { broker.stop() }
        let demo = try desk.demo(port: broker.port, "--iterations 1 --retry-base 1 --retry-max 2")
        #expect(demo.exitStatus(withinMilliseconds: 200_000) == 1)
        #expect(demo.standardOutput.matches(of: /refused the subscription/).count == 6, "\(demo.standardOutput)")
        #expect(demo.standardOutput.hasSuffix("Demo failed: 0 of 1 iterations succeeded, 1 are required.\n"))
        #expect(broker.log.matches(of: /Received SUBSCRIBE from thing/).count == 6, "\(broker.log)")
        #expect(broker.log.matches(of: /Received DISCONNECT from thing/).count == 1)
    }

    @Test("a store without key or certificate, and one that is not there: one line, exit status 1")
    func emptyStore() throws {
        let demo = try Self.desk.get().demo(port: 1, "--store @/nothing")
        #expect(demo.exitStatus(withinMilliseconds: 200_000) == 1)
        #expect(
            demo.standardError.hasPrefix("Error: the key store ") && demo.standardError.contains("has no private key"))
        #expect(demo.standardOutput.isEmpty)
    }
}
