import MQTTProtocol

/// The lines that open listeners, and those about one that have a form of their own. What they come to together:
/// `ConfigurationReader+consistency`.
extension ConfigurationReader {
    mutating func readListener(_ line: inout ConfigurationLine) throws(LineFault) {
        // A broken `listener` line still ends local-only mode, and the lines below are still about it: without that, one
        // mistake would be followed by a list of others that are none.
        configuration.isLocalOnly = false
        currentListener = nil
        guard listeners.count < Limit.listenersMax else {
            throw LineFault("is one too many: at most \(Limit.listenersMax) listeners are possible")
        }
        var draft = ListenerDraft()
        draft.place = (file, self.line)
        listeners.append(draft)
        let index = listeners.count - 1
        currentListener = index
        let port = try line.integer(in: 0...65535)
        var host = line.word()
        if host?.first == UInt8(ascii: "#") { host = nil }
        guard port != 0 else { return listeners[index].values.address = try readUnixSocket(host, &line) }
        listeners[index].values.address = .tcp(host: nil, port: port)
        if let host {
            listeners[index].values.address = .tcp(host: try ConfigurationLine.utf8(host), port: port)
            noteRest(of: line)
        }
    }

    mutating func readPort(_ line: inout ConfigurationLine) throws(LineFault) {
        configuration.isLocalOnly = false
        let index = makeDefaultListener(impliedBy: nil)
        currentListener = index
        listeners[index].values.address = .tcp(
            host: listeners[index].values.host, port: try line.integer(in: 1...65535))
        listeners[index].impliedBy = nil
        noteRest(of: line)
    }

    mutating func readBindAddress(_ line: ConfigurationLine) throws(LineFault) {
        configuration.isLocalOnly = false
        let index = makeDefaultListener(impliedBy: nil)
        currentListener = index
        let host = try line.text()
        try refuseRepetition(of: "bind_address", index)
        listeners[index].values.address = .tcp(host: host, port: listeners[index].values.port)
        listeners[index].impliedBy = nil
    }

    mutating func readPerListenerSettings(_ line: inout ConfigurationLine) throws(LineFault) {
        guard !isPerListener else {
            report(.note, "'per_listener_settings' is true already and stays so")
            return
        }
        guard try line.flag() else { return }
        guard !hasSecuritySettings else {
            throw LineFault(
                "must stand above every security setting, such as 'allow_anonymous'; best in the first line")
        }
        isPerListener = true
        noteRest(of: line)
    }

    /// `listener 0 PATH`; the path is the next word, as in mosquitto.
    private mutating func readUnixSocket(
        _ path: ArraySlice<UInt8>?, _ line: inout ConfigurationLine
    ) throws(LineFault) -> ListenerConfiguration.Address {
        guard let path else {
            throw LineFault("with port 0 is a Unix socket and needs its path: listener 0 /run/martlet.sock")
        }
        guard path.count <= Limit.unixPathBytesMax else {
            throw LineFault("the path of a Unix socket may have \(Limit.unixPathBytesMax) bytes, not \(path.count)")
        }
        let text = try ConfigurationLine.utf8(path)
        noteRest(of: line)
        return .unix(path: text)
    }

    // MARK: Its clients

    mutating func readMountPoint(_ line: ConfigurationLine) throws(LineFault) {
        let index = listenerIndex(for: "mount_point")
        let prefix = try line.text()
        guard !prefix.utf8.contains(where: { $0 == UInt8(ascii: "+") || $0 == UInt8(ascii: "#") }) else {
            throw LineFault("must not hold the wildcards + and #: it is put before topics as it is")
        }
        try refuseRepetition(of: "mount_point", index)
        listeners[index].values.mountPoint = prefix
    }

    /// `3`, `4` and `5`, separated by commas or spaces.
    mutating func readAcceptedVersions(_ line: inout ConfigurationLine) throws(LineFault) {
        let expected = "must be a list of 3, 4 and 5 (MQTT 3.1, 3.1.1 and 5.0) with commas between"
        let index = listenerIndex(for: "accept_protocol_versions")
        var versions: Set<ProtocolVersion> = []
        let separators: Set<UInt8> = [UInt8(ascii: ","), UInt8(ascii: " "), UInt8(ascii: "\t")]
        for word in line.rest.split(whereSeparator: { separators.contains($0) }) {
            guard word.count == 1, let digit = word.first, digit > UInt8(ascii: "0"),
                let version = ProtocolVersion(rawValue: digit - UInt8(ascii: "0"))
            else { throw LineFault("\(expected), not \(quoted(word))") }
            versions.insert(version)
        }
        guard !versions.isEmpty else { throw LineFault(expected) }
        listeners[index].values.acceptedVersions = versions
    }

    // MARK: TLS

    mutating func readTLSVersion(_ line: ConfigurationLine) throws(LineFault) {
        let expected = "must be tlsv1.2 or tlsv1.3, the lowest version spoken"
        let index = listenerIndex(for: "tls_version")
        let word = try line.text()
        try refuseRepetition(of: "tls_version", index)
        switch word {
        case "tlsv1.3": listeners[index].tls.minimumVersion = .v1_3
        case "tlsv1.2": listeners[index].tls.minimumVersion = .v1_2
        case "tlsv1.1", "tlsv1":
            report(.warning, "'tls_version \(word)' is taken as tlsv1.2: what is older is broken and not spoken here")
            listeners[index].tls.minimumVersion = .v1_2
        default: throw LineFault("\(expected), not \(quoted(Array(word.utf8)[...]))")
        }
    }

    mutating func readTLSKeyForm(_ line: ConfigurationLine) throws(LineFault) {
        let index = listenerIndex(for: "tls_keyform")
        let word = try line.text()
        try refuseRepetition(of: "tls_keyform", index)
        switch word {
        case "pem": break
        case "engine":
            throw LineFault("engine: Martlet reads keys from files only; write the key into a PEM file and name that")
        default: throw LineFault("must be pem, not \(quoted(Array(word.utf8)[...]))")
        }
    }
}
