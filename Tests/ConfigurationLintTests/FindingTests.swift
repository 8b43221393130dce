import BrokerConfiguration
import ConfigurationLint
import Testing

@Suite("Advice about a configuration")
struct FindingTests {
    private func findings(_ text: String) -> [Finding] {
        let report = ConfigurationReport(text: text.utf8, file: "test.conf")
        #expect(report.errors == [], "\(text)")
        return ConfigurationLint.findings(report)
    }

    private static let tls = "certfile /c\nkeyfile /k\n"

    @Test(
        "each rule finds its case, at the line it is about",
        arguments: [
            (.anonymousOnNetwork, "\nlistener 1883\nallow_anonymous true\n", 2),
            (.anonymousOnNetwork, "listener 1883 10.0.0.1\nallow_anonymous true\n", 1),
            (.anonymousOnNetwork, "listener 8883\n\(tls)allow_anonymous true\n", 1),
            (.passwordsInClear, "listener 1883\npassword_file /p\n", 1),
            (.passwordsInClear, "listener 8883\n\(tls)\nlistener 1883\npassword_file /p\n", 5),
            (.unlimitedQueue, "max_keepalive 60\nmax_queued_messages 0\n", 2),
            (.unlimitedQueue, "max_inflight_messages 0\n", 1),
            (.endlessSessions, "persistence true\n", 1),
            (.everythingAllowed, "listener 1883 127.0.0.1\npassword_file /p\n", 1),
            (.certificateOptional, "listener 8883\n\(tls)cafile /ca\nuse_identity_as_username true\n", 1),
            (.anyOrigin, "listener 8080\nprotocol websockets\n", 1),
            (.datesUnchecked, "listener 8883\n\(tls)disable_client_cert_date_checks true\n", 1),
            (.nobodyAdmitted, "listener 1883\n", 1),
        ] as [(Finding.Rule, String, Int)])
    func finds(_ rule: Finding.Rule, _ text: String, _ line: Int) {
        let found = findings(text).filter { $0.rule == rule }
        #expect(found.map(\.remark.line) == [line], "\(found)")
        #expect(found.allSatisfy { $0.remark.file == "test.conf" && $0.remark.severity != .error })
    }

    @Test(
        "what is safe is left alone",
        arguments: [
            "", "listener 1883 127.0.0.1\nallow_anonymous true\n", "listener 1883 ::1\nallow_anonymous true\n",
            "listener 0 /run/m.sock\nallow_anonymous true\n",
            "listener 8883\n\(tls)cafile /ca\nrequire_certificate true\nuse_identity_as_username true\nacl_file /a\n",
            "listener 8883\n\(tls)cafile /ca\nrequire_certificate true\nuse_identity_as_username true\nacl_file /a\n"
                + "allow_anonymous true\n",
            "listener 1883\nenable_proxy_protocol 2\nuse_identity_as_username true\nacl_file /a\nallow_anonymous true\n",
            "listener 8883\n\(tls)password_file /p\nacl_file /a\nmax_queued_messages 0\nmax_queued_bytes 1000000\n",
            "listener 1883\nenable_proxy_protocol 2\nproxy_protocol_v2_require_tls true\npassword_file /p\nacl_file /a\n",
            "listener 8080\n\(tls)protocol websockets\nwebsockets_origin https://a.example\npassword_file /p\nacl_file /a\n",
            "persistence true\npersistent_client_expiration 30d\n",
        ])
    func quiet(_ text: String) {
        #expect(findings(text) == [])
    }

    @Test("a file with errors gets no advice")
    func errors() {
        let report = ConfigurationReport(text: "listener 1883\nallow_anonymous true\nbogus\n".utf8, file: "test.conf")
        #expect(ConfigurationLint.findings(report) == [])
        #expect(report.errors.map(\.line) == [3])
    }
}
