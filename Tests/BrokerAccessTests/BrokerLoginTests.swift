import MQTTProtocol
import MQTTTestKit
import Testing

@testable import BrokerAccess

/// Passwords, dynamic security and reads of files, over sockets.
@Suite("A broker with passwords", .blocking)
struct BrokerLoginTests {
    private static let hash = PasswordHash.make(Array("secret".utf8), .pbkdf2(iterations: 101)).text
    private static let configuration = "listener {port} 127.0.0.1\npassword_file {directory}/pw\n"

    /// CONNACK's code for a login; 3.1.1 or 5.0.
    private static func code(
        _ broker: BrokerProcess, _ user: String?, _ password: String?, version: UInt8 = 4
    ) throws -> UInt8? {
        let client = try RawClient(broker, version: version)
        client.send(
            Wire.connect(
                id: unique("c"), version: version, cleanStart: true, keepAlive: 60, will: nil, user: user,
                password: password.map { Array($0.utf8) }, properties: []))
        return try client.expect(.connack).reasonCode
    }

    @Test("C14 C22 BR-3 BR-4 Right comes in; wrong, unknown and nobody hear 5 or 0x87", arguments: [1, 2])
    func logins(_ loops: Int) throws {
        let broker = try BrokerProcess.start(
            Self.configuration + "event_loops \(loops)\n", files: ["pw": "alice:\(Self.hash)\n"])
        for _ in 0..<2 {
            #expect(try Self.code(broker, "alice", "secret") == 0)
            #expect(try Self.code(broker, "alice", "secret", version: 5) == 0)
            for (user, password) in [
                ("alice", "wrong"), ("alice", nil), ("alice", ""), ("bob", "secret"), (nil, nil),
            ] as [(String?, String?)] {
                #expect(try Self.code(broker, user, password) == 5)
                if password != nil || user == nil { #expect(try Self.code(broker, user, password, version: 5) == 0x87) }
            }
        }
        #expect(broker.log.contains("Client <unknown> disconnected, not authorised."))
        #expect(!broker.log.contains("secret") && !broker.log.contains("wrong\""))
    }

    @Test("C21 Files that Debian's mosquitto_passwd wrote, and ours for its broker")
    func interchange() throws {
        let tool = "/usr/bin/mosquitto_passwd"
        guard let mosquitto = BrokerProcess.mosquitto else { return }
        let folder = try Folder()
        #expect(try folder.run(tool, ["-b", "-c", "theirs", "u7", "geheim"]).status == 0)
        #expect(try folder.run(tool, ["-H", "sha512", "-b", "theirs", "u6", "geheim"]).status == 0)
        var editor = PasswordFileEditor()
        _ = editor.set("u7", PasswordHash.make(Array("geheim".utf8), .pbkdf2(iterations: 101)))
        _ = editor.set("u6", PasswordHash.make(Array("geheim".utf8), .sha512))
        let ours = String(decoding: editor.bytes, as: UTF8.self)
        for (program, text) in [(nil, try folder.read("theirs")), (mosquitto, ours), (nil, ours)] {
            let broker = try BrokerProcess.start(Self.configuration, files: ["pw": text], program: program)
            for user in ["u6", "u7"] {
                #expect(try Self.code(broker, user, "geheim") == 0)
                #expect(try Self.code(broker, user, "falsch") == 5)
            }
        }
    }

    @Test("E45 E47 A line for dynamic security: nobody comes in by password, nobody may do anything")
    func dynamicSecurity() throws {
        let broker = try BrokerProcess.start(
            """
            listener {port} 127.0.0.1
            allow_anonymous true
            plugin /usr/lib/x86_64-linux-gnu/mosquitto_dynamic_security.so
            plugin_opt_config_file {directory}/dynamic-security.json
            plugin_opt_password_init_file {directory}/admin

            """)
        #expect(try Self.code(broker, "admin", "admin") == 5)
        let client = try RawClient.connected(to: broker, version: 5)
        client.send(Wire.subscribe(id: 1, [("test/topic", 0)], properties: []))
        #expect(try client.expect(.suback).reasonCodes == [0x87])
        client.send(Wire.publish(topic: "test/topic", payload: "x", qos: 1, id: 2, properties: []))
        #expect(try client.expect(.puback).reasonCode == 0x87)
        let old = try RawClient.connected(to: broker)
        old.send(Wire.subscribe(id: 1, [("test/topic", 0)]))
        #expect(try old.expect(.suback).reasonCodes == [128])
        #expect(broker.log.contains("dynamic security"))
    }

    @Test("A file that cannot be used stops the start with 3, and says where")
    func broken() throws {
        for (name, key, text, line) in [
            ("pw", "password_file", "alice:plain\n", 1), ("acl", "acl_file", "topic a\ntopic read a+\n", 2),
        ] {
            for test in [[], ["--test-config"]] {
                let program = try Program(
                    ["broker", "-c", "{directory}/broker.conf"] + test,
                    files: ["broker.conf": "listener 18830 127.0.0.1\n\(key) {directory}/\(name)\n", name: text])
                #expect(program.exitStatus(withinMilliseconds: patienceMilliseconds) == 3)
                #expect(program.standardError.contains("/\(name):\(line): "))
            }
        }
    }

    @Test("A storm of 500 logins at once is let in, while somebody else talks")
    func storm() throws {
        let users = (0..<500).map { "u\($0)" }
        let broker = try BrokerProcess.start(
            Self.configuration, files: ["pw": users.map { "\($0):\(Self.hash)\n" }.joined()])
        let talker = try RawClient.connected(to: broker, id: "talker", user: "u0", password: "secret")
        let clients = try users.map { user in
            let client = try RawClient(broker, version: 4)
            client.send(
                Wire.connect(
                    id: user, version: 4, cleanStart: true, keepAlive: 60, will: nil, user: user,
                    password: Array("secret".utf8), properties: []))
            return client
        }
        _ = try talker.barrier()
        for client in clients { #expect(try client.expect(.connack).reasonCode == 0) }
    }
}
