import Foundation
import MQTTTestKit
import Testing

/// `martlet config check` as an operator meets it.
@Suite("martlet config check", .blocking)
struct ConfigCheckTests {
    private func check(_ text: String, _ options: [String] = []) throws -> (status: Int32?, out: String) {
        let program = try Program(
            ["config", "check", "{directory}/test.conf"] + options, files: ["test.conf": text])
        let status = program.exitStatus(withinMilliseconds: patienceMilliseconds)
        return (status, program.standardOutput.replacing("\(program.directory)/", with: ""))
    }

    @Test("a good file: who may come in, and what becomes of each line")
    func good() throws {
        let (status, out) = try check("listener 1884 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\n")
        #expect(status == 0)
        #expect(out.hasPrefix("test.conf: can be used\n"))
        #expect(out.contains("port 1884 on 127.0.0.1: everybody\n"))
        #expect(out.contains("test.conf:1  listener 1884 127.0.0.1  honoured\n"))
        #expect(out.contains("test.conf:3  set_tcp_nodelay true     ignored: it is always on"))
        #expect(!out.contains("Advice"))
    }

    @Test("a wrong file: status 3, every error with its line")
    func wrong() throws {
        let (status, out) = try check("listener 1884\nbogus 1\nmax_qos 7\n")
        #expect(status == 3)
        #expect(out.hasPrefix("test.conf: cannot be used, 2 errors\n"))
        #expect(out.contains("error: test.conf:2: unknown key 'bogus'"))
        #expect(out.contains("error: test.conf:3: 'max_qos' must be a number from 0 to 2"))
    }

    @Test(
        "a password or ACL file that is not there, or no file, is an error at the line that names it",
        arguments: ["password_file", "acl_file"])
    func missingFiles(_ key: String) throws {
        for path in ["/nonexistent/file", "/tmp"] {
            let (status, out) = try check("\(key) \(path)\nlistener 1884\n")
            #expect(status == 3)
            #expect(out.contains("error: test.conf:1: \(key) \(path): "), "\(out)")
        }
    }

    @Test("a bridge is checked whole, and a start with it would be refused")
    func bridge() throws {
        let (status, out) = try check("connection b\naddress a\ntopic #\nremote_password secret\n")
        #expect(status == 3)
        #expect(out.contains("this version would not start with it"))
        #expect(out.contains("remote_password ***"))
        #expect(!out.contains("secret"))
    }

    @Test("advice has names; --strict turns warnings into status 1; --quiet leaves out what is honoured")
    func advice() throws {
        let risky = "listener 1884\nallow_anonymous true\n"
        let (status, out) = try check(risky)
        #expect(status == 0)
        #expect(out.contains("  anonymous-on-network: test.conf:1: port 1884 on every interface"))
        #expect(try check(risky, ["--strict"]).status == 1)
        #expect(try check("listener 1884 127.0.0.1\nallow_anonymous true\n", ["--strict"]).status == 0)
        #expect(try !check(risky, ["-q"]).out.contains("honoured"))
    }

    @Test("--json is one document with the same")
    func json() throws {
        let (status, out) = try check("listener 1884\nallow_anonymous true\nmemory_limit 5\n", ["--json"])
        #expect(status == 0)
        let document = try #require(try JSONSerialization.jsonObject(with: Data(out.utf8)) as? [String: Any])
        #expect(document["canStart"] as? Bool == true)
        let lines = try #require(document["lines"] as? [[String: Any]])
        #expect(lines.map { $0["verdict"] as? String } == ["honoured", "honoured", "ignored"])
        #expect(lines.map { $0["line"] as? Int } == [1, 2, 3])
        let advice = try #require(document["advice"] as? [[String: Any]])
        #expect(advice.map { $0["rule"] as? String } == ["anonymous-on-network"])
        let listeners = try #require(document["listeners"] as? [[String: Any]])
        #expect(listeners.first?["admits"] as? String == "everybody")
    }

    @Test("files that TLS needs are looked at: what would stop a start is an error")
    func certificates() throws {
        let (status, out) = try check(
            "listener 8883 127.0.0.1\npassword_file /p\ncertfile /no/such.crt\nkeyfile /no/such.key\n")
        #expect(status == 3)
        #expect(out.contains("/no/such.crt"))
    }

    @Test("a line of a password or ACL file that would stop a start is an error, with its place")
    func accessFiles() throws {
        for (key, text) in [
            ("acl_file", "topic read ok\ntopic wrong/#x\n"), ("password_file", "# users\nalice:plain\n"),
        ] {
            let program = try Program(
                ["config", "check", "{directory}/test.conf"],
                files: ["test.conf": "listener 1884 127.0.0.1\n\(key) {directory}/it\n", "it": text])
            #expect(program.exitStatus(withinMilliseconds: patienceMilliseconds) == 3)
            #expect(program.standardOutput.contains("error: \(program.directory)/it:2: "))
        }
    }

    @Test("a file that is not there: status 3, with its name")
    func missing() throws {
        let program = try Program(["config", "check", "{directory}/none.conf"])
        #expect(program.exitStatus(withinMilliseconds: patienceMilliseconds) == 3)
        #expect(program.standardOutput.contains("none.conf: cannot be opened"))
    }
}
