package import MQTTProtocol

/// What a command line and a file of options ask for. Owns the values; `OptionTable` fills them in, `ToolArguments+check` holds
/// them against each other, and the conversations read them.
package struct ToolArguments: Sendable {
    package let tool: Tool

    // Where, and as whom
    package var host: String?
    /// Nil = 1883, or 8883 with TLS. 0 is what `atoi` makes of a word.
    package var port: Int?
    package var bindAddress: String?
    package var unixPath: String?
    package var usesWebSocket = false
    package var webSocketPath: String?
    package var proxy: ProxyArgument?
    /// `--resolve HOST:ADDR`: connect there, and go on calling it HOST.
    package var resolutions: [(host: String, address: String)] = []
    package var version: ProtocolVersion?
    package var identifier: String?
    package var identifierPrefix: String?
    package var cleanSession = true
    /// Nil = not asked for.
    package var sessionExpiry: UInt32?
    package var keepAliveSeconds: UInt16 = 60
    package var userName: String?
    package var password: [UInt8]?
    package var tls = TLSArguments()
    package var token = TokenArguments()
    package var will = WillArguments()
    package var properties = PropertyArguments()

    // What is said meanwhile
    package var isDebug = false
    package var isQuiet = false

    // What is sent
    package var topics: [String] = []
    package var payload: PayloadSource?
    package var qos = QoS.atMostOnce
    package var retain = false
    package var repeatCount = 1
    package var repeatDelay: Duration = .zero
    package var inflightMax: UInt16 = 20
    /// Messages a second; nil = as fast as they go.
    package var rate: Double?
    package var responseTopic: String?

    // What is received, and how it is shown
    package var filtersOut: [String] = []
    package var unsubscribes: [String] = []
    package var messageCount: Int?
    package var timeoutSeconds: Int?
    package var format: OutputFormat?
    package var isVerbose = false
    package var endsLines = true
    package var isPretty = false
    package var isJSON = false
    package var ignoresRetained = false
    package var onlyRetained = false
    package var removesRetained = false
    package var exitsWhenSubscribed = false
    package var retainAsPublished = false
    package var retainHandling = RetainHandling.sendAlways
    /// Part of a hundred thousand; nil = all.
    package var shownShare: Double?
    package var showsRate = false
    package var showsTable = false
    package var showsLatency = false

    package init(_ tool: Tool) { self.tool = tool }

    /// 3.1.1, or 5.0 for `rr` and wherever an option needs it.
    package var protocolVersion: ProtocolVersion { version ?? (tool == .rr || impliesVersion5 ? .v5 : .v311) }
    /// A key in a token is for TLS, as TLS's own options are.
    var wantsTLS: Bool { tls.isWanted || token.isAsked && !tls.isForbidden }
    /// `-x` without `-V`, as mosquitto 2.1 has it.
    var impliesVersion5: Bool { sessionExpiry != nil || properties.isGiven }
}

/// Where a message's payload comes from.
package enum PayloadSource: Sendable, Hashable {
    case text([UInt8])
    case file(String)
    case standardInput
    case lines
    case empty
}

/// `--will-…`.
package struct WillArguments: Sendable {
    package var topic: String?
    package var payload: [UInt8]?
    package var qos = QoS.atMostOnce
    package var retain = false
}

/// `--proxy socks5h://[user[:password]@]host[:port]`.
package struct ProxyArgument: Sendable, Hashable {
    package var host: String
    package var port: Int
    package var userName: String?
    package var password: String?
}

/// What the command line says of TLS; `ToolArguments.endpoint()` makes a connection of it.
package struct TLSArguments: Sendable {
    package var caFile: String?
    package var caPath: String?
    package var certificateFile: String?
    package var keyFile: String?
    package var keyForm: String?
    package var keyPassword: [UInt8]?
    package var pkcs12File: String?
    package var pkcs12Password: [UInt8]?
    package var ciphers: String?
    package var version: String?
    package var alpn: String?
    package var keyLogFile: String?
    package var engine: String?
    package var enginePassword: String?
    package var usesSystemTrust = false
    /// `--insecure`: the host name is not checked.
    package var skipsName = false
    /// `--insecure-no-verify`: nothing is.
    package var skipsEverything = false
    package var psk: String?
    package var pskIdentity: String?
    /// `mqtts://` or `wss://`.
    package var isAsked = false
    /// `--no-tls`
    package var isForbidden = false

    /// Any option that only makes sense with TLS means TLS. (mosquitto leaves a connection with `--cert` and `--key` alone in plain
    /// text.)
    package var isWanted: Bool {
        guard !isForbidden else { return false }
        return isAsked || usesSystemTrust || skipsName || skipsEverything || caFile != nil || caPath != nil
            || certificateFile != nil || keyFile != nil || pkcs12File != nil || ciphers != nil || version != nil
            || alpn != nil || keyLogFile != nil || psk != nil
    }
}

/// A key in a PKCS#11 token: the options have the names that they have for `martlet provision`.
package struct TokenArguments: Sendable {
    package var module: String?
    package var uri: String?
    package var token: String?
    package var pinFile: String?
    package var pinVariable: String?
    package var keyLabel: String?
    package var certificateLabel: String?

    package var isAsked: Bool { module != nil || uri != nil }
    /// One of those that say more about a token.
    var isDescribed: Bool {
        token != nil || pinFile != nil || pinVariable != nil || keyLabel != nil || certificateLabel != nil
    }
}
