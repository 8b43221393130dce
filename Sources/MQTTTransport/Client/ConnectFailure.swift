/// Why a broker could not be reached: at which stage, what went wrong, and what helps.
public struct ConnectFailure: Error, Hashable, Sendable {
    /// How far it came.
    public enum Stage: String, Sendable, Hashable {
        /// Nothing was tried: a file, a password or a list of ciphers cannot be used. Time does not mend it.
        case settings
        /// The name is not known.
        case lookup
        /// TCP, or the Unix socket.
        case socket
        case proxy
        case tls
        case webSocket
    }

    /// What is wrong with the certificate that the server showed.
    public enum CertificateProblem: Sendable, Hashable {
        case untrusted, wrongName, expired, notYetValid, revoked
        /// Anything else: broken, weak, for another purpose …
        case unfit
    }

    public let stage: Stage
    /// As `Endpoint` describes itself.
    public let endpoint: String
    /// In words.
    public let reason: String
    /// What the reader can do, where anything is known.
    public var remedy: String?
    /// The system's `errno`, where it said no.
    public var errorNumber: CInt?
    /// Where the server's certificate is why.
    public var certificateProblem: CertificateProblem?
    /// The TLS library's own words, its latest first, for a report to somebody who knows them.
    public var details: [String] = []

    package init(_ stage: Stage, _ endpoint: String, _ reason: String, remedy: String? = nil) {
        (self.stage, self.endpoint, self.reason, self.remedy) = (stage, endpoint, reason, remedy)
    }
}

extension ConnectFailure: CustomStringConvertible {
    /// One line: who, what, and what to do.
    public var description: String {
        let place =
            switch stage {
            case .proxy: "SOCKS5 proxy: "
            case .tls: "TLS: "
            case .webSocket: "WebSocket: "
            case .settings, .lookup, .socket: ""
            }
        return "\(endpoint): \(place)\(reason)" + (remedy.map { "; \($0)" } ?? "")
    }
}
