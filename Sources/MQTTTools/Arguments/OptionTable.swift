import MQTTProtocol

/// Every option of the three tools: mosquitto's and ours. Before: `CommandLineReader`. After: `ToolArguments`.
enum OptionTable {
    static let all: [ToolOption] = connection + identity + security + tokens + sending + receiving

    /// The option of that name, where the tool has it. A search through all: to build a dictionary takes longer than a command line
    /// of twenty options, and a tool is to start at once.
    static func option(_ name: String, of tool: Tool) -> ToolOption? {
        all.first { $0.names.contains(name) && $0.tools.contains(Tools(tool)) }
    }

    // MARK: Where

    static let connection: [ToolOption] = [
        ToolOption("-A", wants: "address") { $0.bindAddress = $1.text },
        ToolOption("-h", "--host", wants: "host") { $0.host = $1.text },
        ToolOption("-L", "--url", wants: "URL") { arguments, given throws(ArgumentFault) in
            try BrokerURL(given.text).apply(to: &arguments)
        },
        ToolOption("--no-tls", ours: "no TLS, whatever other options say") { arguments, _ in
            arguments.tls.isForbidden = true
        },
        ToolOption("--nodelay") { _, _ in },  // we never delay
        ToolOption("-p", "--port", wants: "port") { arguments, given throws(ArgumentFault) in
            guard 0...65_535 ~= given.integer else {
                throw ArgumentFault("Error: Invalid port given: \(given.integer)", emptyLine: false)
            }
            arguments.port = given.integer
        },
        ToolOption("--proxy", wants: "proxy url") { arguments, given throws(ArgumentFault) in
            arguments.proxy = try ProxyArgument(url: given.text)
        },
        ToolOption(
            "--resolve", wants: "HOST:ADDRESS",
            ours: "connect to ADDRESS where HOST is meant; TLS goes on checking HOST"
        ) { arguments, given throws(ArgumentFault) in
            let parts = given.text.split(separator: ":", maxSplits: 1).map(String.init)
            guard parts.count == 2 else {
                throw ArgumentFault("Error: --resolve wants HOST:ADDRESS, as --resolve broker.example:127.0.0.1.")
            }
            arguments.resolutions.append((parts[0], parts[1]))
        },
        ToolOption("--unix", wants: "socket path") { $0.unixPath = $1.text },
        ToolOption("--ws", ours: "speak MQTT over a WebSocket") { arguments, _ in arguments.usesWebSocket = true },
    ]

    // MARK: As whom

    static let identity: [ToolOption] = [
        ToolOption("-c", "--disable-clean-session") { arguments, _ in arguments.cleanSession = false },
        ToolOption("-d", "--debug") { arguments, _ in arguments.isDebug = true },
        ToolOption("--property", "-D") { arguments, given throws(ArgumentFault) in
            try arguments.properties.add(given.words)
        },
        ToolOption("-i", "--id", wants: "id") { arguments, given throws(ArgumentFault) in
            guard arguments.identifierPrefix == nil else { throw bothIdentifiers }
            arguments.identifier = try given.utf8("-i")
        },
        ToolOption("-I", "--id-prefix", wants: "id prefix") { arguments, given throws(ArgumentFault) in
            guard arguments.identifier == nil else { throw bothIdentifiers }
            arguments.identifierPrefix = try given.utf8("-I")
        },
        ToolOption("-k", "--keepalive", wants: "keepalive") { arguments, given throws(ArgumentFault) in
            guard 5...65_535 ~= given.integer else {
                throw ArgumentFault("Error: Invalid keepalive given, it must be between 5 and 65535 inclusive.")
            }
            arguments.keepAliveSeconds = UInt16(given.integer)
        },
        ToolOption("--quiet") { arguments, _ in arguments.isQuiet = true },
        ToolOption("-P", "--pw", wants: "password") { arguments, given in arguments.password = given.word.bytes },
        ToolOption("--password-file", wants: "file", ours: "the password is the first line of FILE") {
            arguments, given throws(ArgumentFault) in
            arguments.password = try SecretSource.read(file: given.text, for: given.name)
        },
        ToolOption("--password-env", wants: "name", ours: "the password is in the environment variable NAME") {
            arguments, given throws(ArgumentFault) in
            arguments.password = try SecretSource.read(variable: given.text, for: given.name)
        },
        ToolOption("-u", "--username", wants: "username") { arguments, given throws(ArgumentFault) in
            arguments.userName = try given.utf8("-u")
        },
        ToolOption("--protocol-version", "-V", wants: "version") { arguments, given throws(ArgumentFault) in
            guard let version = ProtocolVersion(commandLineName: given.text) else {
                throw ArgumentFault("Error: Invalid protocol version argument given.")
            }
            arguments.version = version
        },
        ToolOption("--will-payload", wants: "will payload") { $0.will.payload = $1.word.bytes },
        ToolOption("--will-qos", wants: "will QoS") { arguments, given throws(ArgumentFault) in
            guard let qos = UInt8(exactly: given.integer).flatMap(QoS.init(rawValue:)) else {
                throw ArgumentFault("Error: Invalid will QoS \(given.integer).")
            }
            arguments.will.qos = qos
        },
        ToolOption("--will-retain") { arguments, _ in arguments.will.retain = true },
        ToolOption("--will-topic", wants: "will topic") { arguments, given throws(ArgumentFault) in
            let topic = try given.utf8("--will-topic")
            guard TopicArgument.isName(topic) else {
                throw ArgumentFault(
                    "Error: Invalid will topic '\(topic)', does it contain '+' or '#'?", emptyLine: false)
            }
            arguments.will.topic = topic
        },
        ToolOption("-x", wants: "session expiry interval") { arguments, given throws(ArgumentFault) in
            arguments.sessionExpiry = try sessionExpiry(given.text)
        },
    ]

    private static let bothIdentifiers = ArgumentFault("Error: -i and -I argument cannot be used together.")

    private static func sessionExpiry(_ text: String) throws(ArgumentFault) -> UInt32 {
        if text == "∞" { return .max }
        guard let seconds = Int(text.prefix { $0.isNumber || $0 == "-" }), !text.isEmpty else {
            throw ArgumentFault("Error: session-expiry-interval not a number.")
        }
        if seconds == -1 { return .max }
        guard let expiry = UInt32(exactly: seconds) else {
            throw ArgumentFault("Error: session-expiry-interval out of range.")
        }
        return expiry
    }
}
