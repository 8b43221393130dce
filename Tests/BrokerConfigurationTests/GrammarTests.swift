import BrokerConfiguration
import Testing

@Suite("The grammar of a line")
struct GrammarTests {
    @Test(
        "nothing to read",
        arguments: ["", "\n", "\r\n", "# listener 1\n", "#\n", "    \n", "   ", "\r listener 1\n", "\n\n\n"])
    func skipped(_ text: String) throws {
        #expect(try parsed(text) == .embeddedDefaults)
    }

    @Test("spaces separate, however many; the last line needs no LF; CR LF ends a line too")
    func spaces() throws {
        #expect(try parsed("  sys_interval    5").sysIntervalSeconds == 5)
        #expect(try parsed("sys_interval 5\r\nmax_keepalive 6\r\n").keepAliveSecondsMax == 6)
        #expect(try parsed("pid_file /run/x.pid\r\r\n").pidFile == "/run/x.pid")
    }

    @Test("a TAB is no separator, and the error says so")
    func tab() {
        let found = problems("allow_anonymous\ttrue\n")
        #expect(
            found.map(\.description) == [
                "test.conf:1: unknown key 'allow_anonymous\\ttrue'; a TAB does not separate a key from its "
                    + "value, use a space"
            ])
    }

    @Test("a comment behind other things is not seen as one, except where the rest is ignored anyway")
    func trailingComment() throws {
        #expect(try parsed("pid_file /a # b\n").pidFile == "/a # b")
        #expect(try remarks("pid_file /a # b\n").count == 1)
        #expect(try remarks("sys_interval 5 # b\n") == [])
        #expect(try remarks("sys_interval 5 6\n").map(\.message) == ["the rest of the line, '6', is ignored"])
        #expect(problems(" # text\n").first?.message == "unknown key '#'")
    }

    @Test(
        "text must be UTF-8, without control characters",
        arguments: [
            [0xFF], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xEF, 0xBF, 0xBF], [0xC2, 0x85], [0x7F], [0xEF, 0xB7, 0x90],
        ] as [[UInt8]])
    func notText(_ bytes: [UInt8]) {
        #expect(problems(Array("pid_file /a".utf8) + bytes + Array("b\n".utf8)).map(\.line) == [1])
    }

    @Test("text of 65535 bytes is the longest")
    func longestText() throws {
        #expect(try parsed("pid_file \(String(repeating: "x", count: 65_535))\n").pidFile?.utf8.count == 65_535)
        #expect(problems("pid_file \(String(repeating: "x", count: 65_536))\n").map(\.line) == [1])
    }

    @Test("limits: a line, a file, listeners, mistakes, remarks")
    func limits() throws {
        #expect(problems("#\(String(repeating: "x", count: 69_999))\n").isEmpty)
        #expect(problems("#\(String(repeating: "x", count: 70_000))\n").map(\.line) == [1])
        let halfMiB = String(repeating: "# 5678901234567\n", count: 32_768)
        #expect(problems(halfMiB + halfMiB).isEmpty)
        #expect(problems(halfMiB + halfMiB + "\n").map(\.line) == [nil])
        let listeners = (1...100).map { "listener \($0)\n" }.joined()
        #expect(try parsed(listeners).listeners.count == 100)
        #expect(problems(listeners + "listener 101\n").map(\.line) == [101])
        #expect(problems(String(repeating: "bogus\n", count: 1000)).count == 20)
        #expect(try remarks(String(repeating: "sys_interval 1\n", count: 1000)).count == 200)
    }

    @Test("a NUL byte, a byte order mark and UTF-16 are named")
    func encodings() {
        #expect(problems("sys_interval 5\0\n").first?.message.contains("NUL") == true)
        #expect(problems("\u{FEFF}sys_interval 5\n").first?.message.contains("byte order mark") == true)
        #expect(
            problems([0xFF, 0xFE] + "sys_interval 5\n".utf8.flatMap { [$0, 0] }).first?.message.contains("NUL") == true)
    }

    @Test("every mistake is told at once")
    func severalMistakes() {
        let found = problems("max_qos 3\nsys_interval 1\nbogus\nmax_keepalive x\n")
        #expect(found.map(\.line) == [1, 3, 4])
        #expect(found.allSatisfy { $0.severity == .error && $0.file == "test.conf" })
    }

    @Test(
        "a mistake in a password or key is told without it",
        arguments: [
            "remote_password ge\theim", "password ge\theim", "local_password\tgeheim", "bridge_psk=geheim",
            "remote_password\tgeheim", "bridge_psk geheim",
        ])
    func secrets(_ line: String) {
        let found = problems("connection b\naddress a\ntopic #\n" + line + "\n")
        #expect(found.contains { $0.line == 4 })
        #expect(!found.contains { "\($0)".contains("heim") }, "\(found)")
    }

    @Test(
        "an unknown key leads to the nearest one",
        arguments: [
            ("alow_anonymous true", "allow_anonymous"), ("Listener 1883", "listener"),
            ("max_conections 5", "max_connections"),
            ("max_queued_mesages 5", "max_queued_messages"), ("certfle /x", "certfile"), ("prot 1883", "port"),
        ])
    func suggestion(_ line: String, _ key: String) {
        #expect(problems(line).first?.message.hasSuffix("; did you mean '\(key)'?") == true, "\(problems(line))")
    }

    @Test("nothing near, nothing suggested; a long word is cut")
    func noSuggestion() {
        #expect(problems("quux 5").map(\.message) == ["unknown key 'quux'"])
        #expect(
            problems(String(repeating: "q", count: 5000)).map(\.message) == [
                "unknown key '\(String(repeating: "q", count: 60))…'"
            ])
        #expect(problems("allow_anonymous=true").first?.message.contains("without '='") == true)
    }
}
