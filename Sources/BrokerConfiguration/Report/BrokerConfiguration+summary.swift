/// What an operator wants to know first: which file, which doors, and for whom.
extension BrokerConfiguration {
    /// `FILE: port 1883 on 127.0.0.1: everybody; port 8883 …`, in one line. `source` is the file that was read.
    package func summary(source: String?) -> String {
        let doors = listeners.map { "\($0.place): \($0.admission)" }.joined(separator: "; ")
        return "\(source ?? "no configuration file"): \(doors)"
    }
}

extension ListenerConfiguration {
    /// `port 8883 on every interface (WebSocket over TLS)`.
    package var place: String {
        let socket =
            switch address {
            case .tcp(let host, let port): "port \(port) on \(host ?? "every interface")"
            case .unix(let path): "Unix socket \(path)"
            }
        switch (applicationProtocol, tls != nil) {
        case (.mqtt, false): return socket
        case (.mqtt, true): return "\(socket) (TLS)"
        case (.websockets, false): return "\(socket) (WebSocket)"
        case (.websockets, true): return "\(socket) (WebSocket over TLS)"
        }
    }

    /// Who may come in, in words.
    package var admission: String { certificateIdentity == .none ? admissionByName : admissionByProof }

    /// Where certificates and keys say who a client is, nobody is asked for a password, and nobody comes in without.
    private var admissionByProof: String {
        var who: [String] = []
        if let tls, tls.requiresCertificate, let authority = tls.authorityFile ?? tls.authorityFolder {
            who.append("who has a certificate of \(authority)")
        }
        if proxyProtocol == .v2 { who.append("who has a certificate that the proxy has verified") }
        if tls?.pskHint != nil, certificateIdentity == .commonName {
            who.append(security.pskFile.map { "who has a key of \($0)" } ?? "no pre-shared key, without a psk_file")
        }
        return who.isEmpty ? "nobody (no require_certificate: nobody is asked for one)" : who.joined(separator: ", ")
    }

    private var admissionByName: String {
        var who: [String] = []
        if tls?.pskHint != nil, security.pskFile == nil { who.append("no pre-shared key, without a psk_file") }
        if let passwordFile = security.passwordFile { who.append("users of \(passwordFile) with their password") }
        if security.allowsAnonymous {
            let isAsked = security.passwordFile != nil || security.dynamicSecurity != nil
            who.append(isAsked ? "who gives no user name" : "everybody")
        }
        if who.isEmpty {
            who = [
                security.dynamicSecurity == nil
                    ? "nobody (no allow_anonymous, no password_file)" : "nobody (roles are not read yet)"
            ]
        }
        var text = who.joined(separator: ", ")
        if let tls, tls.requiresCertificate, let authority = tls.authorityFile ?? tls.authorityFolder {
            text += ", each with a certificate of \(authority)"
        }
        if proxyRequiresCertificate { text += ", each with a certificate that the proxy has verified" }
        if let tls, tls.pskHint != nil, tls.certificateFile == nil, let file = security.pskFile {
            text += ", each with a key of \(file)"
        }
        return text
    }

    /// Whether only this machine can reach it.
    package var isLocal: Bool {
        switch address {
        case .unix: true
        case .tcp(let host?, _): host == "localhost" || host == "::1" || host.hasPrefix("127.")
        case .tcp(nil, _): bindInterface == "lo"
        }
    }
}
