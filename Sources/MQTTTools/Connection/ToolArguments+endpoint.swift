import MQTTTransport

/// Where a command line says the broker is, and how to reach it. Before: options. After: `Connector`.
extension ToolArguments {
    private static var plainPort: Int { 1_883 }
    private static var tlsPort: Int { 8_883 }

    /// - Parameter held: who we are, where the key is in a token.
    /// - Throws: `ArgumentFault` where an option cannot be honoured here.
    func endpoint(as held: ClientIdentity? = nil) throws(ArgumentFault) -> Endpoint {
        // Whoever names the port of TLS means it.
        let wantsTLS = self.wantsTLS || (port == Self.tlsPort && unixPath == nil && !tls.isForbidden)
        let security = wantsTLS ? try clientTLS(held) : nil
        let host = host ?? "localhost"
        let port = port ?? (wantsTLS ? Self.tlsPort : Self.plainPort)
        var endpoint: Endpoint
        if let unixPath {
            endpoint = .unix(unixPath, tls: security)
        } else if usesWebSocket {
            endpoint = .webSocket(host, port: port, path: webSocketPath ?? "/mqtt", tls: security)
        } else if let security {
            endpoint = .tls(host, port: port, security)
        } else {
            endpoint = .tcp(host, port: port)
        }
        if let address = resolutions.last(where: { $0.host == host })?.address {
            endpoint = endpoint.resolving(to: address)
        }
        if let bindAddress { endpoint = endpoint.from(localAddress: bindAddress) }
        if let proxy {
            endpoint = endpoint.through(
                SOCKS5Proxy(host: proxy.host, port: proxy.port, userName: proxy.userName, password: proxy.password))
        }
        return endpoint
    }

    private func clientTLS(_ held: ClientIdentity?) throws(ArgumentFault) -> ClientTLS {
        if tls.engine != nil || tls.keyForm == "engine" {
            throw ArgumentFault(
                "Error: Problem setting TLS engine, is \(tls.engine ?? "engine") a valid engine?\n"
                    + "Engines are OpenSSL's, and there are none in this program. For a key in a token: --pkcs11-module.",
                namesHelp: false)
        }
        if let form = tls.keyForm, form != "pem" {
            throw ArgumentFault(
                "Error: Problem setting key form, it must be one of 'pem' or 'engine'.", namesHelp: false)
        }
        var security = try trustAndKey(held)
        if let version = tls.version {
            switch version {
            case "tlsv1.3": (security.minimumVersion, security.maximumVersion) = (.tls13, .tls13)
            case "tlsv1.2": (security.minimumVersion, security.maximumVersion) = (.tls12, .tls12)
            default:
                throw ArgumentFault(
                    "Error: Problem setting TLS options, check the options are valid.", namesHelp: false)
            }
        }
        security.ciphers = tls.ciphers
        security.keyLogFile = tls.keyLogFile
        if let alpn = tls.alpn { security.applicationProtocols = [alpn] }
        if tls.skipsName { security = security.insecurelyAcceptingAnyHostName() }
        if tls.skipsEverything { security = security.insecurelyAcceptingAnyServer() }
        return security
    }

    private func trustAndKey(_ held: ClientIdentity?) throws(ArgumentFault) -> ClientTLS {
        if let psk = tls.psk {
            guard let key = ClientTLS.PreSharedKey(identity: tls.pskIdentity ?? "", hexadecimal: psk) else {
                throw ArgumentFault("Error: Problem setting TLS-PSK options.", namesHelp: false)
            }
            return ClientTLS(preSharedKey: key)
        }
        var trust = TrustRoots.none
        if let file = tls.caFile { trust = trust.and(.file(file)) }
        if let folder = tls.caPath { trust = trust.and(.folder(folder)) }
        if tls.usesSystemTrust || (tls.caFile == nil && tls.caPath == nil) { trust = trust.and(.system) }
        return ClientTLS(trust: trust, identity: try identity(held))
    }

    private func identity(_ held: ClientIdentity?) throws(ArgumentFault) -> ClientIdentity? {
        if let held { return held }
        if let file = tls.pkcs12File {
            guard let password = tls.pkcs12Password else {
                throw ArgumentFault(
                    "Error: --p12 needs its password: --p12-password-file FILE or --p12-password-env NAME.",
                    namesHelp: false)
            }
            return .pkcs12(file: file, password: try SecretSource.text(password, for: "--p12"))
        }
        guard let certificate = tls.certificateFile, let key = tls.keyFile else { return nil }
        var password: String?
        if let secret = try keyPassword(key) { password = try SecretSource.text(secret, for: "--key") }
        return .files(certificate: certificate, key: key, password: password)
    }

    /// In OpenSSL's words, which are mosquitto's.
    private static var passwordQuestion: String { "Enter PEM pass phrase:" }

    private func keyPassword(_ key: String) throws(ArgumentFault) -> [UInt8]? {
        if let password = tls.keyPassword { return password }
        guard KeyPassphrase.isNeeded(keyFile: key) else { return nil }
        guard let typed = SecretPrompt.ask(Self.passwordQuestion) else {
            throw ArgumentFault(
                "Error: \(key) is encrypted: --key-password-file FILE or --key-password-env NAME, or type its password at a "
                    + "terminal.", namesHelp: false)
        }
        return typed
    }
}
