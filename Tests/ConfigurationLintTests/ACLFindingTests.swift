import BrokerConfiguration
import Certificates
import ConfigurationLint
import Testing

@Suite("Advice about ACL files")
struct ACLFindingTests {
    private func findings(_ acl: String, passwords: String? = nil) -> [String] {
        let text = "listener 1 127.0.0.1\nacl_file /acl\n" + (passwords == nil ? "" : "password_file /passwords\n")
        let report = ConfigurationReport(text: text.utf8, file: "test.conf")
        #expect(report.errors == [])
        let around = ConfigurationSurroundings(now: Timestamp(seconds: 0)) { path in
            .success(Array((path == "/acl" ? acl : passwords ?? "").utf8))
        }
        return ConfigurationLint.findings(report, surroundings: around).filter { $0.remark.file == "/acl" }
            .map { "\($0.rule.rawValue):\($0.remark.line ?? 0)" }
    }

    @Test(
        "lines that can never decide anything",
        arguments: [
            ("user a\ntopic read a/b\ntopic deny a/#\n", ["acl-line-dead:2"]),
            ("user a\ntopic deny a/+\ntopic write a/b\n", ["acl-line-dead:3"]),
            ("topic read $share/g/a\n", ["acl-line-dead:1"]),
            ("topic write $SYS/broker/x\n", ["acl-line-dead:1"]),
            ("topic read devices/%c/#\n", ["acl-line-dead:1"]),
            ("user a\ntopic a/#\ntopic read a/b\n", ["acl-line-redundant:3"]),
            ("pattern read a/%c\npattern read a/%c\n", ["acl-line-redundant:2"]),
            ("user a\ntopic a/#\ntopic a\n", ["acl-line-redundant:3"]),
        ])
    func dead(_ acl: String, _ expected: [String]) {
        #expect(findings(acl) == expected)
    }

    @Test(
        "lines that decide are left alone",
        arguments: [
            "", "# topic read $share/a\n", "topic read #\ntopic write a\n",
            "user a\ntopic read a\nuser b\ntopic read a\n",
            "topic read #\ntopic read $SYS/#\n", "user a\ntopic deny a/b\ntopic a/#\n",
            "pattern read a/%c\npattern write a/%u\n",
            "topic read a/b c/#\n", "topic read +/b\ntopic read a/#\n", "topic a/b\ntopic a\n",
            "topic\nnonsense\nuser\n",
        ])
    func alive(_ acl: String) {
        #expect(findings(acl) == [])
    }

    @Test("users with rights and without a password")
    func users() {
        let acl = "user a\ntopic x\nuser b\ntopic x\n"
        #expect(findings(acl, passwords: "a:$7$…\n# b:$7$…\n") == ["acl-user-unknown:3"])
        #expect(findings(acl, passwords: "b:$7$…\na:$7$…\n") == [])
        #expect(findings(acl) == [])
    }
}
