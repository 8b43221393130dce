import Testing

@testable import MQTTTools

/// MOSQUITTO_COMPAT.md §6.1 row by row: who takes the option, whether a value follows, and which tests hold the rest. Every row's effect on
/// the arguments is in `OptionTests.effects`, its complaints in `FaultTests` and, beside Debian's program, in
/// `test_tools_arguments.py`; `by` says who sees it work. Python's tests stand in `Tests/Interoperability`.
struct CompatibilityRow: Sendable, CustomTestStringConvertible {
    let names: [String]
    let tools: Tools
    let takesValue: Bool
    let by: String

    var testDescription: String { names.joined(separator: ", ") }

    /// - Parameter tools: as the table has them: P, S, R.
    init(_ names: String, _ tools: String, value: Bool = false, by: String) {
        self.names = names.split(separator: " ").map(String.init)
        self.tools = Tools(
            Tool.allCases.filter { tools.contains($0 == .pub ? "P" : $0 == .sub ? "S" : "R") }.map { Tools($0) })
        takesValue = value
        self.by = by
    }

    private static let wire = "test_tools_wire.py"
    private static let ways = "test_tools_ways.py"
    private static let shows = "test_tools_showing.py"
    private static let together = "test_tools_together.py"
    private static let scripts = "test_tools_transcripts.py"

    static let all: [CompatibilityRow] = [
        .init("-A", "PSR", value: true, by: ways),
        .init("-c --disable-clean-session", "PSR", by: wire),
        .init("-C", "S", value: true, by: wire),
        .init("-d --debug", "PSR", by: scripts),
        .init("-D --property", "PSR", value: true, by: wire),
        .init("-e", "R", value: true, by: wire),
        .init("-E", "S", by: wire),
        .init("-f --file", "PR", value: true, by: wire),
        .init("-F", "SR", value: true, by: together),
        .init("-h --host", "PSR", value: true, by: wire),
        .init("-i --id", "PSR", value: true, by: wire),
        .init("-I --id-prefix", "PSR", value: true, by: wire),
        .init("--insecure", "PSR", by: ways),
        .init("-k --keepalive", "PSR", value: true, by: wire),
        .init("-l --stdin-line", "P", by: wire),
        .init("-L --url", "PSR", value: true, by: wire),
        .init("--latency", "R", by: shows),
        .init("-m --message", "PR", value: true, by: wire),
        // The table has it for pub alone; 2.0.11's three programs take it, and say so in their help.
        .init("-M", "PSR", value: true, by: wire),
        .init("--message-rate", "S", by: shows),
        .init("-n --null-message", "PR", by: wire),
        .init("-N", "SR", by: wire),
        .init("--no-tls", "PSR", by: ways),
        .init("--nodelay", "PSR", by: wire),
        .init("-p --port", "PSR", value: true, by: wire),
        .init("-P --pw", "PSR", value: true, by: wire),
        .init("-u --username", "PSR", value: true, by: wire),
        .init("--pretty", "SR", by: together),
        .init("--proxy", "PSR", value: true, by: ways),
        .init("--psk", "PSR", value: true, by: ways),
        .init("--psk-identity", "PSR", value: true, by: ways),
        .init("-q --qos", "PSR", value: true, by: wire),
        .init("--quiet", "PSR", by: "test_tools_arguments.py"),
        .init("-r --retain", "P", by: wire),
        .init("-R", "SR", by: shows),
        .init("--random-filter", "S", value: true, by: shows),
        .init("--remove-retained", "S", by: together),
        .init("--repeat", "P", value: true, by: wire),
        .init("--repeat-delay", "P", value: true, by: wire),
        .init("--retain-as-published", "S", by: wire),
        .init("--retain-handling", "SR", value: true, by: wire),
        .init("--retained-only", "S", by: wire),
        .init("-s --stdin-file", "PR", by: wire),
        .init("-t --topic", "PSR", value: true, by: wire),
        .init("-T --filter-out", "S", value: true, by: shows),
        .init("-U --unsubscribe", "S", value: true, by: wire),
        .init("--unix", "PSR", value: true, by: ways),
        .init("-v --verbose", "SR", by: together),
        .init("-V --protocol-version", "PSR", value: true, by: wire),
        .init("-w --watch", "S", by: shows),
        .init("-W", "SR", value: true, by: shows),
        .init("--will-topic", "PSR", value: true, by: wire),
        .init("--will-payload", "PSR", value: true, by: wire),
        .init("--will-qos", "PSR", value: true, by: wire),
        .init("--will-retain", "PSR", by: wire),
        .init("--ws", "PSR", by: ways),
        .init("-x", "PSR", value: true, by: wire),
        .init("--cafile", "PSR", value: true, by: ways),
        .init("--capath", "PSR", value: true, by: ways),
        .init("--cert", "PSR", value: true, by: ways),
        .init("--key", "PSR", value: true, by: ways),
        .init("--ciphers", "PSR", value: true, by: ways),
        .init("--keyform", "PSR", value: true, by: ways),
        .init("--tls-alpn", "PSR", value: true, by: ways),
        .init("--tls-engine", "PSR", value: true, by: ways),
        .init("--tls-engine-kpass-sha1", "PSR", value: true, by: "test_tools_arguments.py"),
        .init("--tls-keylog", "PSR", value: true, by: shows),
        .init("--tls-use-os-certs", "PSR", by: "test_tools_arguments.py"),
        .init("--tls-version", "PSR", value: true, by: ways),
    ]

    /// Read by `CommandLineReader` itself: `OptionTests.help`, and `test_options_from_a_file` of `test_tools_arguments.py`.
    static let readBeside: Set<String> = ["--help", "--version", "-o"]
    /// Debian's are built without SRV records, and ours say what they say: `test_tools_arguments.py`.
    static let notThere: Set<String> = ["-S"]
}

@Suite("MOSQUITTO_COMPAT.md §6.1")
struct CompatibilityRows {
    @Test("each option is known to the tools of its row, and to no other", arguments: CompatibilityRow.all)
    func belongs(_ row: CompatibilityRow) {
        for tool in Tool.allCases {
            for name in row.names {
                #expect(
                    (OptionTable.option(name, of: tool) != nil) == row.tools.contains(Tools(tool)), "\(tool) \(name)")
            }
        }
        for name in CompatibilityRow.notThere {
            for tool in Tool.allCases { #expect(OptionTable.option(name, of: tool) == nil) }
        }
    }

    @Test("what has no row is ours, and says what it is for")
    func ours() {
        let known = Set(CompatibilityRow.all.flatMap(\.names))
        for option in OptionTable.all where known.isDisjoint(with: option.names) {
            #expect(option.ours != nil, "\(option.names)")
        }
    }

    @Test("a value that is missing is asked for", arguments: CompatibilityRow.all.filter(\.takesValue))
    func missing(_ row: CompatibilityRow) {
        for tool in Tool.allCases where row.tools.contains(Tools(tool)) {
            for name in row.names {
                let fault = #expect(throws: ArgumentFault.self, "\(tool) \(name)") {
                    try OptionTests.read(tool, [Word(name)])
                }
                #expect(fault?.description.contains("argument given but") == true, "\(tool) \(name)")
            }
        }
    }

    @Test(
        "a value out of range is refused: 2.1's, which Debian's program cannot be asked about",
        arguments: [
            (Tool.sub, "--retain-handling sometimes"), (.sub, "--random-filter 100.1"), (.sub, "--random-filter 0.01"),
            (.sub, "-W 0"), (.sub, "-W -1"), (.sub, "-C -1"), (.pub, "-k 65536"), (.pub, "--will-topic w --will-qos 3"),
            (.pub, "-o /nowhere"), (.pub, "--no-tls=yes"),
        ])
    func outOfRange(_ tool: Tool, _ line: String) {
        #expect(throws: ArgumentFault.self) { try OptionTests.arguments(tool, line) }
    }

    @Test(
        "a token's options want a token, and one key at a time",
        arguments: [
            "--token t", "--pin-file f", "--pin-env N", "--key-label k", "--cert-label c", "--pkcs11-module m --key k",
            "--pkcs11-module m --p12 f", "--pkcs11-module m --psk aa --psk-identity i", "--pkcs11-uri u --token t",
            "--pkcs11-module m --pin-file f --pin-env N", "--pkcs11-module m --cert c --cert-label d",
        ])
    func tokens(_ line: String) {
        for tool in Tool.allCases {
            #expect(throws: ArgumentFault.self) { try OptionTests.arguments(tool, line) }
        }
    }
}
