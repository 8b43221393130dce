import MQTTTestKit
import SeededRandom
import Testing

/// The same random ACL files, clients and topics for Debian's mosquitto and for Martlet: every answer must be the same.
@Suite("ACL files beside mosquitto", .blocking)
struct MosquittoComparisonTests {
    private static let topics = [
        "a", "b", "a/b", "a/c", "a/b/c", "/a", "a/", "u1", "c1", "u1/c1", "x-c1", "x-c1/a", "u2/b", "$other/a",
        "$other/u1",
        "$share/a", "p/u1/c1/q", "%c", "%u",
    ]
    private static let filters = [
        "a", "b", "a/b", "a/#", "a/+", "+", "#", "+/+", "+/b/#", "/a", "/#", "%u", "%c", "%u/%c", "x-%c/#", "x-%c",
        "%u/+",
        "$other/#", "$other/%u", "+/%u", "p/%u/%c/#", "%u/#", "a/+/c",
    ]
    /// User and identifier; "" = anonymous.
    private static let clients = [
        ("u1", "c1"), ("u2", "c2"), ("", "c1"), ("stranger", "u1"), ("u1", "x+y"), ("u#", "c1"),
    ]

    /// An ACL file in which `root` may do everything.
    private static func file(_ random: inout SeededGenerator) -> String {
        var lines: [String] = []
        func rule(_ keyword: String) -> String {
            let access = random.pick(["", "read ", "write ", "readwrite ", "deny ", "read ", "write "])
            return "\(keyword) \(access)\(random.pick(filters))"
        }
        for _ in 0..<random.below(3) { lines.append(rule("topic")) }
        for user in ["u1", "u2", "u1"] where random.below(3) > 0 {
            lines.append("user \(user)")
            for _ in 0..<random.below(5) { lines.append(rule(random.below(4) == 0 ? "pattern" : "topic")) }
        }
        for _ in 0..<random.below(4) { lines.append(rule("pattern")) }
        lines.append("user root\ntopic #\ntopic $other/#\ntopic $share/#")
        return lines.joined(separator: "\n") + "\n"
    }

    /// What a broker lets one client do, a letter a topic: `R` or `r` for receive, `W` or `w` for publish.
    private static func answers(_ broker: BrokerProcess, _ user: String, _ client: String) throws -> String {
        let name = user.isEmpty ? nil : user
        let subject = try RawClient.connected(to: broker, id: client, version: 5, user: name)
        let root = try RawClient.connected(to: broker, id: "root", version: 5, user: "root")
        try subject.subscribe("#", 0)
        try subject.subscribe("$other/#", 0, id: 2)
        var text = ""
        for (i, topic) in topics.enumerated() {
            let id = UInt16(i + 10)
            root.send(Wire.publish(topic: topic, payload: "r", qos: 1, id: id, properties: []))
            _ = try root.expect(.puback)
            // What was sent before its PINGRESP has come before it.
            let heard = try subject.barrier().contains { $0.kind == .publish }
            subject.send(Wire.publish(topic: topic, payload: "w", qos: 1, id: id, properties: []))
            let puback = try subject.receive { $0.kind == .puback }
            _ = try subject.barrier()
            text += (heard ? "R" : "r") + ((puback.reasonCode ?? 0) < 0x80 ? "W" : "w")
        }
        try subject.disconnect()
        try root.disconnect()
        return text
    }

    @Test("BR-5 Random files give mosquitto's answers", arguments: 1...4 as ClosedRange<UInt64>)
    func same(_ seed: UInt64) throws {
        guard let mosquitto = BrokerProcess.mosquitto else { return }
        var random = SeededGenerator(seed: seed)
        var decisions = 0
        var allowed = 0
        for _ in 0..<4 {
            let acl = Self.file(&random)
            let configuration = "listener {port} 127.0.0.1\nallow_anonymous true\nacl_file {directory}/acl\n"
            let theirs = try BrokerProcess.start(configuration, files: ["acl": acl], program: mosquitto)
            let ours = try BrokerProcess.start(configuration, files: ["acl": acl])
            for (user, client) in Self.clients {
                let expected = try Self.answers(theirs, user, client)
                #expect(try Self.answers(ours, user, client) == expected, "\(user) \(client)\n\(acl)")
                decisions += expected.utf8.count
                allowed += expected.count { $0.isUppercase }
            }
            ours.stop()
            theirs.stop()
        }
        #expect(decisions >= 800 && allowed > 10)
    }

    /// SEED_SYSTEMS §4.2, CH-13.
    private static let chat = """
        user admin
        topic readwrite /#
        pattern readwrite /test
        pattern readwrite /chat/login
        pattern readwrite /chat/logout
        pattern readwrite /chat/active
        pattern write /chat/user/%u/status
        pattern read /chat/user/+/status
        pattern readwrite /chat/user/%u/message/+
        pattern write /chat/user/+/message/%u
        pattern read /chat/group/+/message/+
        pattern write /chat/group/+/message/%u
        """

    /// Topic, then what admin, alice and an anonymous client may: read, write.
    private static let matrix: [(topic: String, admin: String, alice: String, nobody: String)] = [
        ("/test", "RW", "RW", "RW"), ("/chat/user/alice/status", "RW", "RW", "Rw"),
        ("/chat/user/bob/status", "RW", "Rw", "Rw"), ("/chat/user/alice/message/bob", "RW", "RW", "rw"),
        ("/chat/user/bob/message/alice", "RW", "rW", "rw"), ("/foo", "RW", "rw", "rw"),
        ("/chat/group/g/message/alice", "RW", "RW", "Rw"), ("/chat/group/g/message/bob", "RW", "Rw", "Rw"),
    ]

    @Test("D20 CH-13 The chat's rules: roles, topics, read and write; both brokers")
    func chat() throws {
        let programs = [nil] + (BrokerProcess.mosquitto.map { [$0] } ?? [])
        for program in programs {
            let broker = try BrokerProcess.start(
                "listener {port} 127.0.0.1\nallow_anonymous true\nacl_file {directory}/acl\nlog_type all\n",
                files: ["acl": Self.chat + "\n"], program: program)
            let admin = try RawClient.connected(to: broker, id: "adminclient", version: 5, user: "admin")
            for (role, user) in [("admin", "admin"), ("alice", "alice"), ("nobody", nil)] as [(String, String?)] {
                let client = try RawClient.connected(to: broker, id: role, version: 5, user: user)
                try client.subscribe("#", 0)
                for row in Self.matrix {
                    admin.send(Wire.publish(topic: row.topic, payload: "r", qos: 1, id: 9, properties: []))
                    _ = try admin.expect(.puback)
                    let heard = try client.barrier().contains { $0.kind == .publish }
                    client.send(Wire.publish(topic: row.topic, payload: "w", qos: 1, id: 9, properties: []))
                    let puback = try client.receive { $0.kind == .puback }
                    _ = try client.barrier()
                    let found = (heard ? "R" : "r") + (puback.reasonCode == 0x87 ? "w" : "W")
                    let expected = user == "admin" ? row.admin : user == "alice" ? row.alice : row.nobody
                    #expect(found == expected, "\(role) \(row.topic)")
                }
                try client.disconnect()
            }
            // D8: the log says so, in mosquitto's words.
            #expect(broker.log.contains("Denied PUBLISH from alice (d0, q1, r0, m9, '/foo', ... (1 bytes))"))
        }
    }
}
