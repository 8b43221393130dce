/// `-L`: `mqtt(s)://` or `ws(s)://`, `[user[:password]@]host[:port]/topic`. The topic is all behind the slash; `%41` is not read as
/// a letter, since mosquitto does not.
struct BrokerURL {
    private let scheme: String
    private let rest: Substring

    init(_ text: String) throws(ArgumentFault) {
        guard let scheme = ["mqtt", "mqtts", "ws", "wss"].first(where: { text.lowercased().hasPrefix($0 + "://") })
        else {
            throw ArgumentFault("Error: unsupported URL scheme.")
        }
        self.scheme = scheme
        rest = text.dropFirst(scheme.count + 3)
    }

    func apply(to arguments: inout ToolArguments) throws(ArgumentFault) {
        guard let slash = rest.firstIndex(of: "/") else {
            throw ArgumentFault("Error: Invalid URL for -L argument specified - topic missing.", emptyLine: false)
        }
        var authority = rest[..<slash]
        let topic = rest[rest.index(after: slash)...]
        if let at = authority.lastIndex(of: "@") {
            let parts = authority[..<at].split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            arguments.userName = String(parts[0])
            if parts.count > 1 { arguments.password = Array(parts[1].utf8) }
            authority = authority[authority.index(after: at)...]
        }
        let place = HostPort(authority)
        arguments.host = place.host
        if let port = place.port {
            arguments.port = CNumber.integer(Word(port))
            guard let port = arguments.port, 0...65_535 ~= port else {
                throw ArgumentFault("Error: Invalid port given: \(arguments.port ?? 0)", emptyLine: false)
            }
        }
        arguments.usesWebSocket = scheme.hasPrefix("ws")
        arguments.tls.isAsked = scheme.hasSuffix("s") && scheme != "ws"
        try arguments.addTopic(Word(String(topic)), "-L")
    }
}

/// `host`, `host:port`, `[::1]:port`.
struct HostPort {
    let host: String
    let port: String?

    init(_ text: Substring) {
        if text.first == "[", let end = text.firstIndex(of: "]") {
            host = String(text[text.index(after: text.startIndex)..<end])
            let rest = text[text.index(after: end)...]
            port = rest.first == ":" ? String(rest.dropFirst()) : nil
        } else if let colon = text.firstIndex(of: ":") {
            host = String(text[..<colon])
            port = String(text[text.index(after: colon)...])
        } else {
            host = String(text)
            port = nil
        }
    }
}

extension ProxyArgument {
    init(url: String) throws(ArgumentFault) {
        guard url.lowercased().hasPrefix("socks5h://") else {
            throw ArgumentFault("Error: Unsupported proxy protocol: \(url)", emptyLine: false)
        }
        var rest = url.dropFirst(10).prefix { $0 != "/" }
        var (user, password): (String?, String?)
        if let at = rest.lastIndex(of: "@") {
            let parts = rest[..<at].split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            user = String(parts[0])
            password = parts.count > 1 ? String(parts[1]) : nil
            rest = rest[rest.index(after: at)...]
        }
        let place = HostPort(rest)
        guard !place.host.isEmpty else { throw ArgumentFault("Error: Invalid proxy.", emptyLine: false) }
        let port = place.port.map { CNumber.integer(Word($0)) } ?? 1_080
        guard 1...65_535 ~= port, place.port.map({ $0.allSatisfy(\.isNumber) }) ?? true else {
            throw ArgumentFault(
                "Error: Invalid proxy port \(1...65_535 ~= port ? 0 : port)", emptyLine: false)
        }
        self.init(host: place.host, port: port, userName: user, password: password)
    }
}
