import MQTTProtocol

/// The lines about bridges that have a form of their own, and what a bridge's lines come to together.
extension ConfigurationReader {
    /// Index of the bridge a line is about.
    func bridgeIndex() throws(LineFault) -> Int {
        guard let currentBridge else { throw LineFault("needs a 'connection' line above it") }
        return currentBridge
    }

    mutating func readConnection(_ line: ConfigurationLine) throws(LineFault) {
        currentBridge = nil
        let name = try line.text()
        guard !bridges.contains(where: { $0.values.name == name }) else {
            throw LineFault("begins a second bridge called \(quoted(Array(name.utf8)[...])); give it another name")
        }
        guard bridges.count < Limit.bridgesMax else {
            throw LineFault("is one too many: at most \(Limit.bridgesMax) bridges are possible")
        }
        bridges.append(BridgeDraft(values: BridgeConfiguration(name: name), file: file, line: self.line))
        currentBridge = bridges.count - 1
    }

    mutating func readBridgeAddress(_ line: inout ConfigurationLine) throws(LineFault) {
        let index = try bridgeIndex()
        try refuseRepetition(of: "address of bridge \(index)", nil)
        var addresses: [BridgeConfiguration.Address] = []
        while let word = line.word() {
            guard addresses.count < Limit.bridgeAddressesMax else {
                throw LineFault("may name at most \(Limit.bridgeAddressesMax) brokers")
            }
            addresses.append(try Self.address(try ConfigurationLine.utf8(word)))
        }
        guard !addresses.isEmpty else { throw LineFault("needs a host, or HOST:PORT") }
        bridges[index].values.addresses = addresses
    }

    /// `HOST`, `HOST:PORT` or `[IPV6]:PORT`. As in mosquitto the port stands behind the last colon, so IPv6 needs one.
    private static func address(_ text: String) throws(LineFault) -> BridgeConfiguration.Address {
        guard let colon = text.lastIndex(of: ":") else {
            return BridgeConfiguration.Address(host: text, port: ListenerConfiguration.defaultPort)
        }
        let digits = text[text.index(after: colon)...]
        guard digits.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }), let port = Int(digits),
            (1...65535).contains(port)
        else {
            throw LineFault("must be HOST:PORT with a port from 1 to 65535 (an IPv6 address needs one), not '\(text)'")
        }
        var host = text[..<colon]
        if host.first == "[", host.last == "]" { host = host.dropFirst().dropLast() }
        guard !host.isEmpty else { throw LineFault("needs a host before the port: HOST:\(port)") }
        return BridgeConfiguration.Address(host: String(host), port: port)
    }

    // MARK: topic

    mutating func readBridgeTopic(_ line: inout ConfigurationLine) throws(LineFault) {
        let index = try bridgeIndex()
        guard bridges[index].values.topics.count < Limit.bridgeTopicsMax else {
            throw LineFault("is one too many: at most \(Limit.bridgeTopicsMax) topics are possible for a bridge")
        }
        var words: [ArraySlice<UInt8>] = []
        guard let pattern = try Self.pattern(&line) else { throw LineFault("needs a pattern, such as sensors/#") }
        while let word = line.word(), word.first != UInt8(ascii: "#") { words.append(word) }
        var topic = BridgeConfiguration.Topic(pattern: pattern.isEmpty ? nil : pattern)
        if !words.isEmpty {
            let word = String(decoding: words[0], as: UTF8.self)
            guard let direction = BridgeConfiguration.Direction(rawValue: word) else {
                throw LineFault("goes out, in or both, not \(quoted(words[0]))")
            }
            topic.direction = direction
        }
        if words.count > 1 {
            guard words[1].count == 1, let digit = words[1].first, digit >= UInt8(ascii: "0"),
                let qos = QoS(rawValue: digit - UInt8(ascii: "0"))
            else { throw LineFault("has QoS 0, 1 or 2, not \(quoted(words[1]))") }
            topic.qos = qos
        }
        if words.count > 2 { topic.localPrefix = try Self.prefix(words[2]) }
        if words.count > 3 { topic.remotePrefix = try Self.prefix(words[3]) }
        if words.count > 4 { report(.note, "the rest of the line, \(quoted(words[4])), is ignored") }
        guard topic.pattern != nil || (topic.localPrefix ?? topic.remotePrefix) != nil else {
            throw LineFault("with the pattern \"\" only maps prefixes, and there are none")
        }
        bridges[index].values.topics.append(topic)
    }

    /// The first word, or what stands between double quotes.
    private static func pattern(_ line: inout ConfigurationLine) throws(LineFault) -> String? {
        guard let word = line.quotedWord() else { return nil }
        let text = try ConfigurationLine.utf8(word)
        guard text.isEmpty || Array(text.utf8).withUnsafeBytes({ TopicSyntax.isValidFilter($0) }) else {
            throw LineFault("must be a topic filter (+ and # as whole levels, # last), not \(quoted(word))")
        }
        return text
    }

    /// A topic or the beginning of one; `""` is none.
    private static func prefix(_ word: ArraySlice<UInt8>) throws(LineFault) -> String? {
        if word.elementsEqual("\"\"".utf8) { return nil }
        let text = try ConfigurationLine.utf8(word)
        guard !word.contains(where: { $0 == UInt8(ascii: "+") || $0 == UInt8(ascii: "#") }) else {
            throw LineFault("has a prefix with a wildcard, \(quoted(word)); it is put before topics as it is")
        }
        return text
    }

    // MARK: The others

    mutating func readBridgeRestart(_ line: inout ConfigurationLine) throws(LineFault) {
        let index = try bridgeIndex()
        let base = try line.integer(in: .cInt)
        guard line.hasWord else {
            bridges[index].values.restart = .constant(seconds: min(max(base, 1), 3600))
            if base < 1 || base > 3600 { report(.note, "'restart_timeout' is kept between 1 and 3600 seconds") }
            return
        }
        let cap = try line.integer(in: .cInt)
        guard cap >= base else { throw LineFault("has a cap, \(cap), that is lower than its base, \(base)") }
        let stable = line.hasWord ? limit(try line.integer(in: .cInt)) : nil
        bridges[index].values.restart = .backoff(
            baseSeconds: min(max(base, 1), 3600), capSeconds: min(max(cap, 1), 7200), stableSeconds: stable)
        noteRest(of: line)
    }

    mutating func readBridgeTCPKeepAlive(_ line: inout ConfigurationLine) throws(LineFault) {
        let index = try bridgeIndex()
        let range = 1...Int(Int32.max)
        bridges[index].values.tcpKeepAlive = BridgeConfiguration.TCPKeepAlive(
            idleSeconds: try line.integer(in: range), intervalSeconds: try line.integer(in: range),
            count: try line.integer(in: range))
        noteRest(of: line)
    }

    mutating func readBridgeNotificationTopic(_ line: ConfigurationLine) throws(LineFault) {
        let index = try bridgeIndex()
        let topic = try line.text()
        try refuseRepetition(of: "notification_topic of bridge \(index)", nil)
        guard !topic.utf8.contains(where: { $0 == UInt8(ascii: "+") || $0 == UInt8(ascii: "#") }) else {
            throw LineFault("must be a topic to publish to, without the wildcards + and #")
        }
        bridges[index].values.notificationTopic = topic
    }

    mutating func readBridgePSK(_ line: ConfigurationLine) throws(LineFault) {
        let index = try bridgeIndex()
        let key = try line.text()
        try refuseRepetition(of: "bridge_psk of bridge \(index)", nil)
        guard key.utf8.count.isMultiple(of: 2), key.allSatisfy({ $0.isASCII && $0.isHexDigit }) else {
            throw LineFault("must be hexadecimal digits, two a byte, without 0x")
        }
        bridges[index].tls.pskKey = key
    }

    // MARK: When all lines are read

    /// Checks every bridge whole; that nobody runs it yet is an error too, for messages would wait for it in vain.
    mutating func settleBridges() {
        var identifiers: Set<String> = []
        for draft in bridges where mayGoOn {
            var bridge = draft.values
            if draft.tls.isOn { bridge.tls = draft.tls }
            for fault in Self.faults(of: draft) {
                report(.error, "the bridge '\(bridge.name)' \(fault)", file: draft.file, line: draft.line)
            }
            if let identifier = bridge.localClientID, !identifiers.insert(identifier).inserted {
                report(
                    .error, "the bridge '\(bridge.name)' has the 'local_clientid' of another bridge", file: draft.file,
                    line: draft.line)
            }
            let unused = draft.tls.certificateFile ?? draft.tls.ciphers ?? draft.tls.ciphersTLS13
            if !draft.tls.isOn, unused != nil || draft.tls.applicationProtocol != nil {
                report(
                    .warning,
                    "the bridge '\(bridge.name)' is not encrypted: TLS begins with 'bridge_cafile', 'bridge_capath', "
                        + "'bridge_tls_use_os_certs' or 'bridge_psk'", file: draft.file, line: draft.line)
            }
            configuration.bridges.append(bridge)
            report(
                unhonoured == .refused ? .error : .warning,
                "'connection' is read and checked; running bridges to other brokers is a later version's: remove the bridge, "
                    + "or stay with mosquitto for it", file: draft.file, line: draft.line)
        }
    }

    private static func faults(of draft: BridgeDraft) -> [String] {
        var faults: [String] = []
        if draft.values.addresses.isEmpty { faults.append("needs an 'address'") }
        if draft.values.topics.isEmpty { faults.append("needs a 'topic'") }
        if (draft.tls.certificateFile == nil) != (draft.tls.keyFile == nil) {
            faults.append("needs both 'bridge_certfile' and 'bridge_keyfile', or none")
        }
        if (draft.tls.pskIdentity == nil) != (draft.tls.pskKey == nil) {
            faults.append("needs both 'bridge_identity' and 'bridge_psk', or none")
        }
        let hasCertificates =
            draft.tls.authorityFile != nil || draft.tls.authorityFolder != nil || draft.tls.certificateFile != nil
            || draft.tls.usesSystemAuthorities
        if hasCertificates, draft.tls.pskKey != nil {
            faults.append("has certificates and a pre-shared key; keep one of the two")
        }
        return faults
    }
}
