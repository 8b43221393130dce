import Foundation
import MQTTClient
import MQTTProtocol
import Testing

@testable import MQTTTools

/// Every option of the three tools: who takes it, what it does, what is said when it is wrong.
@Suite("The tools' options")
struct OptionTests {
    /// A command line, read without any file of options.
    static func read(_ tool: Tool, _ line: [Word]) throws(ArgumentFault) -> ToolArguments {
        guard case .run(let arguments) = try CommandLineReader.read(line, for: tool, environment: { _ in nil }) else {
            throw ArgumentFault("help was asked for")
        }
        return arguments
    }

    /// With what the tool cannot do without in front.
    static func arguments(_ tool: Tool, _ line: String) throws(ArgumentFault) -> ToolArguments {
        let needed: [Word] =
            switch tool {
            case .pub: ["-t", "a"]
            case .sub: ["-t", "a"]
            case .rr: ["-t", "a", "-e", "b"]
            }
        let words = line.split(separator: " ").map { Word(String($0)) }
        let sources: Set<Word> = [
            "-m", "-f", "-l", "-n", "-s", "--message", "--file", "--stdin-line", "--null-message", "--stdin-file",
        ]
        let payload: [Word] = tool == .sub || words.contains(where: sources.contains) ? [] : ["-n"]
        return try read(tool, needed + payload + words)
    }

    /// MOSQUITTO_COMPAT §6.1, and ours.
    struct Effect: Sendable, CustomTestStringConvertible {
        let tools: [Tool]
        let line: String
        let holds: @Sendable (ToolArguments) -> Bool
        var testDescription: String { line }

        init(_ tools: [Tool], _ line: String, _ holds: @escaping @Sendable (ToolArguments) -> Bool) {
            (self.tools, self.line, self.holds) = (tools, line, holds)
        }
    }

    static let all: [Tool] = [.pub, .sub, .rr]

    static let effects: [Effect] = [
        Effect(all, "-A 127.0.0.2") { $0.bindAddress == "127.0.0.2" },
        Effect(all, "-c -i me") { !$0.cleanSession && $0.identifier == "me" },
        Effect(all, "--disable-clean-session --id me") { !$0.cleanSession && $0.identifier == "me" },
        Effect([.sub], "-C 3") { $0.messageCount == 3 },
        Effect(all, "-d") { $0.isDebug },
        Effect(all, "--debug") { $0.isDebug },
        Effect(all, "-D connect user-property a b") { $0.properties.users(.connect).map(\.value) == ["b"] },
        Effect(all, "--property connect receive-maximum 9") {
            $0.properties.number(.connect, .receiveMaximum) == 9 && $0.protocolVersion == .v5
        },
        Effect([.rr], "-e answers") { $0.responseTopic == "answers" },
        Effect([.sub], "-E") { $0.exitsWhenSubscribed },
        Effect([.pub, .rr], "-f file") { $0.payload == .file("file") },
        Effect([.pub, .rr], "--file file") { $0.payload == .file("file") },
        Effect([.sub, .rr], "-F %t") { $0.format?.parts == [.field(.topic, .init())] },
        Effect(all, "-h there") { $0.host == "there" },
        Effect(all, "--host there") { $0.host == "there" },
        Effect(all, "--host=there") { $0.host == "there" },
        Effect(all, "-I part-") { $0.identifierPrefix == "part-" },
        Effect(all, "--id-prefix part-") { $0.identifierPrefix == "part-" },
        Effect(all, "--insecure") { $0.tls.skipsName && !$0.tls.skipsEverything && $0.tls.isWanted },
        Effect(all, "--insecure-no-verify") { $0.tls.skipsEverything && $0.tls.isWanted },
        Effect(all, "-k 5") { $0.keepAliveSeconds == 5 },
        Effect(all, "--keepalive 65535") { $0.keepAliveSeconds == 65_535 },
        Effect([.pub], "-l") { $0.payload == .lines },
        Effect([.pub], "--stdin-line") { $0.payload == .lines },
        Effect(all, "-L mqtt://u:p:q@h:99/t/u") {
            $0.host == "h" && $0.port == 99 && $0.userName == "u" && $0.password == Array("p:q".utf8)
                && $0.topics.last == "t/u" && !$0.tls.isWanted
        },
        Effect(all, "--url mqtts://h/t") { $0.host == "h" && $0.port == nil && $0.tls.isWanted },
        Effect(all, "-L ws://h/t") { $0.usesWebSocket && !$0.tls.isWanted },
        Effect(all, "-L wss://[::1]:9/t") { $0.usesWebSocket && $0.tls.isWanted && $0.host == "::1" && $0.port == 9 },
        Effect([.rr], "--latency") { $0.showsLatency },
        Effect([.pub, .rr], "-m text") { $0.payload == .text(Array("text".utf8)) },
        Effect([.pub, .rr], "--message text") { $0.payload == .text(Array("text".utf8)) },
        Effect(all, "-M 7") { $0.inflightMax == 7 },
        Effect([.sub], "--message-rate") { $0.showsRate },
        Effect([.pub, .rr], "-n") { $0.payload == .empty },
        Effect([.pub, .rr], "--null-message") { $0.payload == .empty },
        Effect([.sub, .rr], "-N") { !$0.endsLines },
        Effect(all, "--cafile f --no-tls") { !$0.tls.isWanted },
        Effect(all, "--nodelay") { _ in true },
        Effect(all, "-p 1884") { $0.port == 1_884 },
        Effect(all, "--port 0") { $0.port == 0 },
        Effect(all, "-u me -P secret") { $0.userName == "me" && $0.password == Array("secret".utf8) },
        Effect(all, "--username me --pw secret") { $0.userName == "me" && $0.password == Array("secret".utf8) },
        Effect([.sub, .rr], "--pretty") { $0.isPretty },
        Effect(all, "--proxy socks5h://u:p@h:9") {
            $0.proxy == ProxyArgument(host: "h", port: 9, userName: "u", password: "p")
        },
        Effect(all, "--proxy socks5h://h") { $0.proxy == ProxyArgument(host: "h", port: 1_080) },
        Effect(all, "--psk aabb --psk-identity me") { $0.tls.psk == "aabb" && $0.tls.pskIdentity == "me" },
        Effect(all, "-q 2") { $0.qos == .exactlyOnce },
        Effect(all, "--qos 1") { $0.qos == .atLeastOnce },
        Effect(all, "--quiet") { $0.isQuiet },
        Effect([.pub], "-r") { $0.retain },
        Effect([.pub], "--retain") { $0.retain },
        Effect([.pub], "--rate 2.5") { $0.rate == 2.5 },
        Effect([.sub, .rr], "-R") { $0.ignoresRetained },
        Effect([.sub], "--random-filter 12.5") { $0.shownShare == 0.125 },
        Effect([.sub], "--random-filter 100") { $0.shownShare == 1 },
        Effect([.sub], "--remove-retained") { $0.removesRetained },
        Effect([.pub], "--repeat 3 --repeat-delay 0.5") {
            $0.repeatCount == 3 && $0.repeatDelay == .milliseconds(500)
        },
        Effect(all, "--resolve h:127.0.0.1") { $0.resolutions.first?.address == "127.0.0.1" },
        Effect([.sub], "--retain-as-published") { $0.retainAsPublished },
        Effect([.sub, .rr], "--retain-handling new") { $0.retainHandling == .sendIfNew },
        Effect([.sub], "--retained-only") { $0.onlyRetained },
        Effect([.pub, .rr], "-s") { $0.payload == .standardInput },
        Effect([.pub, .rr], "--stdin-file") { $0.payload == .standardInput },
        Effect(all, "--topic b") { $0.topics.last == "b" },
        Effect([.sub], "-t b/# --topic c/+") { $0.topics == ["a", "b/#", "c/+"] },
        Effect([.sub], "-T x/# --filter-out y") { $0.filtersOut == ["x/#", "y"] },
        Effect([.sub], "-U x/# --unsubscribe y") { $0.unsubscribes == ["x/#", "y"] },
        Effect(all, "--unix /run/x") { $0.unixPath == "/run/x" },
        Effect([.sub, .rr], "-v") { $0.isVerbose },
        Effect([.sub, .rr], "--verbose") { $0.isVerbose },
        Effect(all, "-V 31") { $0.protocolVersion == .v31 },
        Effect(all, "-V mqttv311") { $0.protocolVersion == .v311 },
        Effect(all, "--protocol-version 5") { $0.protocolVersion == .v5 },
        Effect([.sub], "-w") { $0.showsTable },
        Effect([.sub], "--watch") { $0.showsTable },
        Effect([.sub, .rr], "-W 3") { $0.timeoutSeconds == 3 },
        Effect(all, "--will-topic w --will-payload p --will-qos 1 --will-retain") {
            $0.will.topic == "w" && $0.will.payload == [UInt8(ascii: "p")] && $0.will.qos == .atLeastOnce
                && $0.will.retain
        },
        Effect(all, "--ws") { $0.usesWebSocket },
        // As 2.1 has it: without -V it means 5.0.
        Effect(all, "-x 60") {
            $0.protocolVersion == .v5 && $0.properties.number(.connect, .sessionExpiryInterval) == 60
        },
        Effect(all, "-x 60 -V 311") { $0.protocolVersion == .v311 },
        Effect(all, "-x -1 -i me") { $0.properties.number(.connect, .sessionExpiryInterval) == .max },
        Effect(all, "-x ∞ -i me") { $0.sessionExpiry == .max },
        Effect(all, "-c -i me -V 5") { $0.properties.number(.connect, .sessionExpiryInterval) == .max },
        Effect(all, "--cafile ca") { $0.tls.caFile == "ca" && $0.tls.isWanted },
        Effect(all, "--capath cas") { $0.tls.caPath == "cas" && $0.tls.isWanted },
        // mosquitto leaves this one in plain text.
        Effect(all, "--cert c --key k --keyform pem") {
            $0.tls.certificateFile == "c" && $0.tls.keyFile == "k" && $0.tls.keyForm == "pem" && $0.tls.isWanted
        },
        Effect(all, "--p12 f") { $0.tls.pkcs12File == "f" && $0.tls.isWanted },
        Effect(all, "--ciphers ALL") { $0.tls.ciphers == "ALL" },
        Effect(all, "--tls-alpn mqtt") { $0.tls.alpn == "mqtt" },
        Effect(all, "--tls-keylog f") { $0.tls.keyLogFile == "f" },
        Effect(all, "--tls-use-os-certs") { $0.tls.usesSystemTrust && $0.tls.isWanted },
        Effect(all, "--tls-version tlsv1.3") { $0.tls.version == "tlsv1.3" },
        Effect(all, "--tls-engine e --key k --cert c --keyform engine --tls-engine-kpass-sha1 x") {
            $0.tls.engine == "e" && $0.tls.enginePassword == "x"
        },
        Effect(all, "--json") { $0.isJSON },
        Effect(all, "--pkcs11-module m --token t --pin-file f --key-label k --cert-label c") {
            $0.token.module == "m" && $0.token.token == "t" && $0.token.pinFile == "f" && $0.token.keyLabel == "k"
                && $0.token.certificateLabel == "c" && $0.wantsTLS
        },
        Effect(all, "--pkcs11-uri pkcs11:token=t --pin-env NAME") {
            $0.token.uri == "pkcs11:token=t" && $0.token.pinVariable == "NAME" && $0.wantsTLS
        },
        // The token has the key, a file the certificate.
        Effect(all, "--pkcs11-module m --cert c") { $0.tls.certificateFile == "c" && $0.token.isAsked },
        Effect(all, "--pkcs11-module m --no-tls") { !$0.wantsTLS },
    ]

    @Test("does what it says", arguments: effects)
    func effect(_ effect: Effect) throws {
        for tool in Tool.allCases where effect.tools.contains(tool) {
            #expect(effect.holds(try Self.arguments(tool, effect.line)), "\(tool.mosquittoName) \(effect.line)")
        }
    }

    @Test("is unknown to the tools that do not have it", arguments: effects)
    func stranger(_ effect: Effect) throws {
        for tool in Tool.allCases where !effect.tools.contains(tool) {
            #expect(throws: ArgumentFault.self, "\(tool.mosquittoName) \(effect.line)") {
                try Self.arguments(tool, effect.line)
            }
        }
    }

    @Test("has a test of its effect, each one")
    func complete() {
        let tested = Set(Self.effects.flatMap { $0.line.split(separator: " ").map(String.init) })
        for option in OptionTable.all where !Self.readElsewhere.contains(option.names[0]) {
            #expect(option.names.contains { tested.contains($0) }, "\(option.names[0])")
        }
    }

    /// They need a file or a variable: `SecretTests`; `--help` and `-o` stand beside the table.
    static let readElsewhere: Set<String> = [
        "--password-file", "--password-env", "--key-password-file", "--key-password-env", "--p12-password-file",
        "--p12-password-env",
    ]

    @Test("no name means two things to one tool")
    func unambiguous() {
        for tool in Tool.allCases {
            let names = OptionTable.all.filter { $0.tools.contains(Tools(tool)) }.flatMap(\.names)
            #expect(Set(names).count == names.count)
        }
    }

    @Test("defaults are mosquitto's")
    func defaults() throws {
        let arguments = try Self.arguments(.pub, "-m x")
        #expect(arguments.keepAliveSeconds == 60)
        #expect(arguments.qos == .atMostOnce)
        #expect(arguments.protocolVersion == .v311)
        #expect(arguments.cleanSession)
        #expect(arguments.inflightMax == 20)
        #expect(try Self.arguments(.rr, "-m x").protocolVersion == .v5)
        #expect("\(try arguments.endpoint())" == "mqtt://localhost:1883")
        #expect("\(try Self.arguments(.pub, "-m x --cafile f").endpoint())" == "mqtts://localhost:8883")
        #expect("\(try Self.arguments(.pub, "-m x -p 8883").endpoint())" == "mqtts://localhost:8883")
        #expect("\(try Self.arguments(.pub, "-m x -p 8883 --no-tls").endpoint())" == "mqtt://localhost:8883")
        #expect("\(try Self.arguments(.pub, "-m x -L wss://h/t").endpoint())" == "wss://h:8883/mqtt")
        #expect("\(try Self.arguments(.pub, "-m x --unix /s").endpoint())" == "mqtt+unix:///s")
    }

    @Test("a payload need not be text, a topic must")
    func bytes() throws {
        let arguments = try Self.read(.pub, ["-t", "a", "-m", Word([0xFF, 0x00])])
        #expect(arguments.payload == .text([0xFF, 0x00]))
        #expect(throws: ArgumentFault("Error: Malformed UTF-8 in -t argument.")) {
            try Self.read(.pub, ["-t", Word([0xFF]), "-n"])
        }
    }

    @Test("secrets come from files and the environment")
    func secrets() throws {
        #expect(throws: ArgumentFault.self) { try Self.arguments(.pub, "-n -u me --password-file /nowhere") }
        #expect(throws: ArgumentFault.self) {
            try Self.arguments(.pub, "-n -u me --password-env MARTLET_NO_SUCH_THING")
        }
        let home = try Self.arguments(.pub, "-n -u me --password-env PATH")
        #expect(home.password?.isEmpty == false)
    }

    @Test("a file's first line is the secret, whatever its bytes; none, or too many, are none")
    func firstLine() throws {
        let file = NSTemporaryDirectory() + "martlet-secret-\(UUID())"
        defer { try? FileManager.default.removeItem(atPath: file) }
        func read(_ bytes: [UInt8]) throws -> [UInt8] {
            try Data(bytes).write(to: URL(filePath: file))
            return try SecretSource.read(file: file)
        }
        let longest = [UInt8](repeating: 0x61, count: 65_535)
        let taken: [([UInt8], [UInt8])] = [
            (Array("word".utf8), Array("word".utf8)), (Array("word\nmore\n".utf8), Array("word".utf8)),
            (Array("word\r\n".utf8), Array("word".utf8)), (Array("a\rb\n".utf8), Array("a\rb".utf8)),
            ([0xE9, 0x00, 0x0A], [0xE9, 0x00]), (longest, longest), (longest + [0x0D, 0x0A], longest),
        ]
        for (content, secret) in taken { #expect(try read(content) == secret) }
        for content in [[], [0x0A], [0x0D, 0x0A], Array("\nsecond".utf8)] {
            #expect(throws: SecretSource.Fault(description: "the first line of \(file) is empty")) { try read(content) }
        }
        for content in [longest + [0x61], longest + [0x61, 0x0A], longest + longest] {
            #expect(throws: SecretSource.Fault(description: "the first line of \(file) is longer than 65535 bytes")) {
                try read(content)
            }
        }
        #expect(throws: SecretSource.Fault(description: "/: Is a directory")) { try SecretSource.read(file: "/") }
        #expect(try SecretSource.text(Array("Grüße".utf8)) == "Grüße")
        #expect(throws: SecretSource.Fault.self) { try SecretSource.text([0xE9]) }
    }

    @Test("help and version are asked for anywhere")
    func help() throws {
        for tool in Tool.allCases {
            guard case .help = try CommandLineReader.read(["-d", "--help"], for: tool, environment: { _ in nil }) else {
                Issue.record("--help")
                continue
            }
            guard case .version = try CommandLineReader.read(["--version"], for: tool, environment: { _ in nil }) else {
                Issue.record("--version")
                continue
            }
        }
    }

    @Test("an engine is explained")
    func engine() throws {
        let arguments = try Self.arguments(.pub, "-n --cafile f --tls-engine e")
        let fault = #expect(throws: ArgumentFault.self) { try arguments.endpoint() }
        #expect(fault?.description.contains("--pkcs11-module") == true)
    }
}
