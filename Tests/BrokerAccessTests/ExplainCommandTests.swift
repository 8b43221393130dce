import Foundation
import MQTTTestKit
import SeededRandom
import Testing

@testable import BrokerAccess

/// `martlet explain` as an operator meets it, and that it says what the broker does.
@Suite("martlet explain", .blocking)
struct ExplainCommandTests {
    private static let acl = """
        topic read news/#
        user alice
        topic readwrite home/alice/#
        topic deny home/alice/locked
        pattern write devices/%c/status

        """
    private static let hash = PasswordHash.make(Array("secret".utf8), .pbkdf2(iterations: 1)).text
    private static let files = ["acl": acl, "pw": "alice:\(hash)\nbob:\(hash)\n"]
    private static let one = """
        listener 1883 127.0.0.1
        allow_anonymous true
        password_file {directory}/pw
        acl_file {directory}/acl

        """

    private func explain(
        _ configuration: String = one, _ arguments: String...
    ) throws -> (status: Int32?, out: String, errors: String) {
        let program = try Program(
            ["explain", "-c", "{directory}/test.conf"] + arguments,
            files: Self.files.merging(["test.conf": configuration]) { $1 })
        let status = program.exitStatus(withinMilliseconds: 30_000)
        return (
            status, program.standardOutput.replacing("\(program.directory)/", with: ""),
            program.standardError.replacing("\(program.directory)/", with: "")
        )
    }

    @Test("what is allowed and what is not, with the line that says so; exit status 0 and 1")
    func rules() throws {
        var (status, out, _) = try explain(Self.one, "--username", "alice", "--publish", "home/alice/lamp")
        #expect(status == 0)
        #expect(
            out == """
                allowed: user 'alice' at port 1883 on 127.0.0.1, publish home/alice/lamp
                  login: allowed: pw has a password for 'alice', which decides
                  publish: allowed: acl:3: topic readwrite home/alice/#

                """)
        (status, out, _) = try explain(Self.one, "-u", "alice", "-i", "c1", "--receive", "home/alice/locked")
        #expect(status == 1)
        #expect(out.hasPrefix("denied: user 'alice' as client 'c1' at port 1883"))
        #expect(out.contains("  receive: denied: acl:4: topic deny home/alice/locked\n"))
        (status, out, _) = try explain(
            Self.one, "--username", "bob", "--client", "d7", "--publish", "devices/d7/status")
        #expect(status == 0 && out.contains("acl:5: pattern write devices/%c/status"))
        (status, out, _) = try explain(Self.one, "--username", "bob", "--publish", "devices/d7/status")
        #expect(status == 1 && out.contains("publish: denied: no line of acl allows it"))
        (status, out, _) = try explain(Self.one, "--anonymous", "--receive", "news/today")
        #expect(status == 0 && out.contains("login: allowed: allow_anonymous is true"))
        (status, out, _) = try explain(Self.one, "--anonymous", "--subscribe", "#")
        #expect(status == 0 && out.contains("everybody may subscribe; what is delivered is decided topic by topic"))
        (status, out, _) = try explain(Self.one, "--username", "alice", "--publish", "$SYS/x")
        #expect(status == 1 && out.contains("topics that begin with $SYS or $share are the broker's own"))
    }

    @Test("whether such a user comes in at all")
    func logins() throws {
        var (status, out, _) = try explain(Self.one, "--username", "carol", "--receive", "x")
        #expect(status == 1)
        #expect(out.contains("login: denied: pw has no user 'carol'\n"))
        let closed = "listener 1883 127.0.0.1\n"
        (status, out, _) = try explain(closed, "--anonymous", "--client", "c", "--publish", "x")
        #expect(status == 1)
        #expect(
            out.contains(
                "login: denied: it gave no user name, and this listener lets nobody in without (allow_anonymous false)."
            ))
        #expect(out.contains("publish: allowed: no acl_file restricts anything"))
        (status, out, _) = try explain(closed + "allow_anonymous true\n", "-u", "x", "--publish", "x")
        #expect(status == 0)
        (status, out, _) = try explain(
            closed + "allow_anonymous true\nclientid_prefixes dev-\n", "--anonymous", "--client", "c", "--publish", "x")
        #expect(status == 1 && out.contains("its identifier does not begin with clientid_prefixes"))
        (status, out, _) = try explain(
            closed + "allow_anonymous true\nuse_username_as_clientid true\nacl_file {directory}/acl\n", "-u", "d9",
            "--publish", "devices/d9/status")
        #expect(status == 0)
        let plugin = closed + "plugin mosquitto_dynamic_security.so\nplugin_opt_config_file x\n"
        (status, out, _) = try explain(plugin, "-u", "admin", "--publish", "x")
        #expect(status == 1 && out.contains("dynamic security would have to decide"))
    }

    @Test("several listeners: all agree, or one is named; mount points stand before the topic")
    func listeners() throws {
        let two = """
            per_listener_settings true
            listener 1883 127.0.0.1
            allow_anonymous true
            listener 1884 127.0.0.1
            allow_anonymous true
            acl_file {directory}/acl
            mount_point news/
            listener 0 {directory}/sock
            allow_anonymous false

            """
        var (status, out, errors) = try explain(two, "--anonymous", "--receive", "today")
        #expect(status == 64)
        #expect(errors.contains("There are: 127.0.0.1:1883, 127.0.0.1:1884, sock."))
        (status, out, _) = try explain(two, "--anonymous", "--receive", "today", "--listener", "1884")
        #expect(status == 0 && out.contains("receive today (behind the mount point: news/today)"))
        #expect(out.contains("acl:1: topic read news/#"))
        (status, out, _) = try explain(two, "--anonymous", "--receive", "today", "--listener", "127.0.0.1:1883")
        #expect(status == 0)
        (status, out, _) = try explain(two, "--anonymous", "--receive", "today", "--listener", "{directory}/sock")
        #expect(status == 1 && out.contains("Unix socket sock"))
        (status, _, errors) = try explain(two, "--anonymous", "--receive", "today", "--listener", "9")
        #expect(status == 64 && errors.contains("There is no listener 9."))
        (status, _, _) = try explain(
            "listener 1883 127.0.0.1\naccept_protocol_versions 4\nallow_anonymous true\nmax_keepalive 30\n",
            "--anonymous", "--receive", "today")
        #expect(status == 0)
        (status, _, _) = try explain("max_keepalive 60\n", "--anonymous", "--receive", "today")
        #expect(status == 0)  // both loopback addresses say the same
    }

    @Test("--json is one document with the same")
    func json() throws {
        let (status, out, _) = try explain(
            Self.one, "--username", "alice", "--client", "c", "--publish", "home/alice/locked", "--json")
        #expect(status == 1)
        let document = try #require(try JSONSerialization.jsonObject(with: Data(out.utf8)) as? [String: Any])
        #expect(document["allowed"] as? Bool == false)
        #expect(document["user"] as? String == "alice" && document["client"] as? String == "c")
        #expect(document["deed"] as? String == "publish" && document["topic"] as? String == "home/alice/locked")
        let decision = try #require(document["decision"] as? [String: Any])
        #expect(decision["file"] as? String == "acl" && decision["line"] as? Int == 4)
        #expect(decision["rule"] as? String == "topic deny home/alice/locked")
        #expect((document["login"] as? [String: Any])?["allowed"] as? Bool == true)
    }

    @Test("what is wrong: 3 with file and line for the configuration, 64 for the command line")
    func wrong() throws {
        var (status, _, errors) = try explain("listener 1883\nbogus 1\n", "--anonymous", "--publish", "x")
        #expect(status == 3 && errors.contains("test.conf:2: unknown key 'bogus'"))
        (status, _, errors) = try explain("listener 1883\nacl_file {directory}/pw\n", "--anonymous", "--publish", "x")
        #expect(status == 3 && errors.contains("pw:1: "))
        for arguments in [
            ["--publish", "x"], ["--anonymous"], ["--anonymous", "--publish", "x", "--receive", "y"],
            ["--anonymous", "--username", "u", "--publish", "x"], ["--anonymous", "--publish", "a/#"],
            ["--anonymous", "--subscribe", "a#"],
        ] {
            let program = try Program(
                ["explain", "-c", "{directory}/test.conf"] + arguments, files: ["test.conf": "max_keepalive 60\n"])
            #expect(program.exitStatus(withinMilliseconds: 30_000) == 64, "\(arguments)")
        }
    }

    @Test("it says what a running broker does, for random files and topics", arguments: 1...3 as ClosedRange<UInt64>)
    func same(_ seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let filters = ["a", "b/#", "+/c", "%u/#", "x/%c", "#"]
        var lines: [String] = []
        for user in ["", "u1", "u2"] {
            if !user.isEmpty { lines.append("user \(user)") }
            for _ in 0..<random.below(4) {
                let word = random.below(3) == 0 ? "pattern" : "topic"
                lines.append("\(word) \(random.pick(["read", "write", "readwrite", "deny"])) \(random.pick(filters))")
            }
        }
        let acl = lines.joined(separator: "\n") + "\n"
        let broker = try BrokerProcess.start(
            "listener {port} 127.0.0.1\nallow_anonymous true\nacl_file {directory}/acl\n", files: ["acl": acl])
        let text = "listener 1883 127.0.0.1\nallow_anonymous true\nacl_file {directory}/acl\n"
        for user in [nil, "u1", "u3"] as [String?] {
            let client = try RawClient.connected(to: broker, id: "c1", version: 5, user: user)
            for topic in ["a", "b/q", "u1/c", "x/c1"] {
                client.send(Wire.publish(topic: topic, payload: "w", qos: 1, id: 7, properties: []))
                let mayPublish = (try client.expect(.puback).reasonCode ?? 0) < 0x80
                let program = try Program(
                    ["explain", "-c", "{directory}/test.conf", "--client", "c1", "--publish", topic]
                        + (user.map { ["--username", $0] } ?? ["--anonymous"]), files: ["test.conf": text, "acl": acl])
                let status = program.exitStatus(withinMilliseconds: 30_000)
                #expect(status == (mayPublish ? 0 : 1), "\(user ?? "anonymous") \(topic)\n\(acl)")
            }
            try client.disconnect()
        }
    }
}
