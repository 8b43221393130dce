/// How a client does TLS: whom it trusts, who it is, what it accepts. A value; files are read when a connection is made, so a
/// renewed certificate counts from the next one on.
public struct ClientTLS: Sendable, Hashable {
    /// Older versions are broken and not spoken.
    public enum Version: Sendable, Hashable {
        case tls12, tls13
    }

    /// How much of the server's certificate is verified.
    public enum Verification: Sendable, Hashable {
        /// Chain, dates, purpose, name.
        case full
        /// All but the name.
        case anyHostName
        /// Nothing: everybody may be the server.
        case nothing
    }

    /// A secret that both sides have, in place of certificates. TLS 1.2 only.
    public struct PreSharedKey: Sendable, Hashable {
        /// 1 to 256 bytes.
        public let identity: String
        package let key: Secret

        /// - Parameter key: 1 to 256 bytes; 16 of them, by chance, are enough.
        public init(identity: String, key: [UInt8]) { (self.identity, self.key) = (identity, Secret(key)) }

        /// - Parameter hexadecimal: the key as mosquitto's `psk_file` and `--psk` write it; nil where it is none.
        public init?(identity: String, hexadecimal: String) {
            guard let key = PreSharedKeys.key(hexadecimal) else { return nil }
            self.init(identity: identity, key: key)
        }
    }

    /// Who may vouch for the server.
    public var trust: TrustRoots
    /// What we prove ourselves with; nil = the server does not ask.
    public var identity: ClientIdentity?
    /// The name the certificate must be for, sent as Server Name Indication too; nil = the endpoint's host.
    public var serverName: String?
    /// Protocols to offer, best first (ALPN), such as `mqtt`; empty = none.
    public var applicationProtocols: [String] = []
    public var minimumVersion = Version.tls12
    public var maximumVersion = Version.tls13
    /// OpenSSL's list of cipher suites for TLS 1.2; nil = good ones. Those of 1.3 are always offered, all three.
    public var ciphers: String?
    /// Lists of certificates that were taken back, PEM or DER; with them, a server's certificate needs one of its issuer.
    public var revocationListFile: String?
    /// In place of certificates, or beside them.
    public var preSharedKey: PreSharedKey?
    /// A file for the secrets of every connection, for Wireshark: who has it reads along. For looking for faults.
    public var keyLogFile: String?
    public private(set) var verification = Verification.full

    public init(trust: TrustRoots = .system, identity: ClientIdentity? = nil) {
        (self.trust, self.identity) = (trust, identity)
    }

    /// TLS with a secret that both sides have, and no certificates.
    public init(preSharedKey: PreSharedKey) {
        trust = .none
        self.preSharedKey = preSharedKey
    }

    // MARK: Less than safe

    /// The same, but a certificate for any other host will do: whoever has one from a trusted authority can play the broker.
    public func insecurelyAcceptingAnyHostName() -> ClientTLS {
        var tls = self
        tls.verification = .anyHostName
        return tls
    }

    /// The same, but everybody can play the broker, read all, and change it. For looking for faults, never for more.
    public func insecurelyAcceptingAnyServer() -> ClientTLS {
        var tls = self
        tls.verification = .nothing
        return tls
    }
}
