/// What single lines cannot know: whether the options of one listener fit together. Mistakes are told at its `listener` line.
extension ConfigurationReader {
    /// Checks every listener and turns its draft's words into values.
    mutating func settleListeners() {
        for index in listeners.indices where mayGoOn {
            settleTLS(index)
            settleProtocol(index)
            settleIdentity(index)
        }
    }

    private mutating func settleTLS(_ index: Int) {
        let tls = listeners[index].tls
        if (tls.certificateFile == nil) != (tls.keyFile == nil) {
            let (there, missing) = tls.keyFile == nil ? ("certfile", "keyfile") : ("keyfile", "certfile")
            complain(.error, index, "'\(there)' needs '\(missing)' beside it: the certificate and its key")
            return
        }
        if tls.certificateFile == nil {
            if tls.authorityFile != nil || tls.authorityFolder != nil {
                complain(
                    .error, index, "'cafile' or 'capath' needs 'certfile' and 'keyfile': the server's own certificate")
                return
            }
            if tls.requiresCertificate, listeners[index].values.proxyProtocol == .v2 {
                listeners[index].values.proxyRequiresCertificate = true  // the proxy's to ask for and verify
            } else if tls.requiresCertificate {
                // mosquitto opens a plain listener here; the operator believes it to be closed.
                complain(
                    .error, index, "'require_certificate true' needs 'certfile' and 'keyfile', or the listener is plain"
                )
                return
            }
            for (name, isSet) in [
                ("crlfile", tls.revocationListFile != nil), ("keyfile_password_file", tls.keyPasswordFile != nil),
                ("ciphers", tls.ciphers != nil && tls.pskHint == nil), ("ciphers_tls1.3", tls.ciphersTLS13 != nil),
                ("disable_client_cert_date_checks", !tls.checksClientDates),
            ] where isSet {
                complain(.warning, index, "'\(name)' has no effect: the listener has no 'certfile' and 'keyfile'")
            }
        } else if tls.requiresCertificate, tls.authorityFile == nil, tls.authorityFolder == nil {
            complain(
                .error, index,
                "'require_certificate true' needs 'cafile' or 'capath': nobody says whose certificates are good")
            return
        } else if tls.revocationListFile != nil, !tls.requiresCertificate {
            complain(.note, index, "'crlfile' is only asked about clients that show a certificate; none must")
        }
        if tls.pskHint != nil, tls.minimumVersion > .v1_2, tls.certificateFile == nil {
            complain(.error, index, "'psk_hint' is for TLS 1.2, which 'tls_version tlsv1.3' rules out")
        }
        if tls.certificateFile != nil || tls.pskHint != nil { listeners[index].values.tls = tls }
    }

    private mutating func settleProtocol(_ index: Int) {
        let draft = listeners[index]
        switch draft.applicationProtocol {
        case "http_api":
            complain(
                .error, index, "'protocol http_api' is not served by Martlet, which has its own; remove the listener")
        case let word:
            listeners[index].values.applicationProtocol =
                ListenerConfiguration.ApplicationProtocol(rawValue: word) ?? .mqtt
        }
        if !draft.values.websocketsOrigins.isEmpty, draft.applicationProtocol == "mqtt" {
            complain(.warning, index, "'websockets_origin' has no effect without 'protocol websockets'")
        }
        if draft.values.proxyRequiresTLS, draft.values.proxyProtocol != .v2 {
            complain(.error, index, "'proxy_protocol_v2_require_tls true' needs 'enable_proxy_protocol 2'")
        }
        if draft.values.proxyProtocol == .v2, draft.tls.certificateFile != nil {
            complain(
                .error, index, "'enable_proxy_protocol 2' and 'certfile' exclude each other: the proxy ends TLS")
        }
        if case .unix = draft.values.address, draft.values.bindInterface != nil || draft.values.socketDomain != nil {
            complain(.warning, index, "'bind_interface' and 'socket_domain' have no effect on a Unix socket")
        }
    }

    private mutating func settleIdentity(_ index: Int) {
        let draft = listeners[index]
        if draft.usesSubject, draft.values.proxyProtocol == .v2 {
            complain(
                .error, index,
                "'use_subject_as_username' is not possible with 'enable_proxy_protocol 2': the header has no subject")
        }
        guard draft.usesIdentity || draft.usesSubject else { return }
        guard draft.values.tls != nil || draft.values.proxyProtocol == .v2 else {
            let name = draft.usesIdentity ? "use_identity_as_username" : "use_subject_as_username"
            complain(.warning, index, "'\(name)' has no effect: nobody shows a certificate on a plain listener")
            return
        }
        listeners[index].values.certificateIdentity = draft.usesIdentity ? .commonName : .subject
    }

    /// At the line that opened the listener.
    private mutating func complain(_ severity: Diagnostic.Severity, _ index: Int, _ message: String) {
        let place = listeners[index].place
        report(severity, message, file: place?.file ?? file, line: place?.line)
    }

    // MARK: Sockets

    /// Opening the second would fail anyway, but without telling the line.
    mutating func refuseSameSocketTwice() {
        guard problems.isEmpty, !configuration.isLocalOnly else { return }
        var seen: Set<String> = []
        for draft in listeners {
            var socket =
                switch draft.values.address {
                case .tcp(let host, let port): "port \(port) on \(host ?? "every interface")"
                case .unix(let path): path
                }
            if let device = draft.values.bindInterface { socket += " of \(device)" }
            if let domain = draft.values.socketDomain { socket += ", \(domain.rawValue)" }
            if !seen.insert(socket).inserted {
                report(
                    .error, "two listeners want \(socket); give one of them another port or address",
                    file: draft.place?.file ?? file, line: draft.place?.line)
            }
        }
    }
}
