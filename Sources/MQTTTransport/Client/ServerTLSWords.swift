import NIOSSL

/// Why a handshake with a server failed, and what the client's user can do. BoringSSL's own words where nothing better is known.
struct ServerTLSWords {
    let reason: String
    var remedy: String?

    private init(reason: String, remedy: String? = nil) { (self.reason, self.remedy) = (reason, remedy) }

    init(_ error: any Error) {
        if case NIOSSLError.uncleanShutdown = error {
            self.init(reason: Self.brokeOff)
            return
        }
        guard let token = TLSFailure.token(of: error) else {
            self.init(reason: "\(error)")
            return
        }
        self = Self.known[token] ?? Self.alert(token) ?? ServerTLSWords(reason: token)
    }

    static let brokeOff = "the server broke the connection off"

    static let plainRemedy =
        "does that port speak TLS? Plain MQTT (usually 1883) has an endpoint without TLS, WebSocket one of its own"

    private static let known: [String: ServerTLSWords] = [
        "EOF": ServerTLSWords(reason: "the server hung up during the handshake", remedy: plainRemedy),
        "WRONG_VERSION_NUMBER": ServerTLSWords(reason: "what the server answers is not TLS", remedy: plainRemedy),
        "CERTIFICATE_VERIFY_FAILED": ServerTLSWords(
            reason: "the server's certificate was refused", remedy: "name the authority that made it as trusted"),
        "UNSUPPORTED_PROTOCOL": ServerTLSWords(
            reason: "the server speaks only TLS versions that are older than we accept",
            remedy: "let the server speak TLS 1.2 or 1.3, or lower minimumVersion"),
        "WRONG_CIPHER_RETURNED": ServerTLSWords(reason: "the server chose a cipher suite that we did not offer"),
        "NO_COMMON_SIGNATURE_ALGORITHMS": ServerTLSWords(
            reason: "the server accepts no signature that our key can make"),
        "PSK_IDENTITY_NOT_FOUND": ServerTLSWords(
            reason: "the server speaks pre-shared keys, and we have none", remedy: "give identity and key"),
        "DIGEST_CHECK_FAILED": wrongKey,
        "DECRYPTION_FAILED_OR_BAD_RECORD_MAC": wrongKey,
        "BAD_DECRYPT": wrongKey,
    ]

    private static let wrongKey = ServerTLSWords(
        reason: "the two sides did not come to the same keys",
        remedy: "with pre-shared keys: is the key the server's? Without: bytes were damaged on the way")

    /// What the server told us by an alert, RFC 8446 §6: `SSLV3_ALERT_…`, `TLSV1_ALERT_…`, `TLSV1_…`.
    private static func alert(_ token: String) -> ServerTLSWords? {
        guard let prefix = ["SSLV3_ALERT_", "TLSV1_ALERT_", "TLSV13_ALERT_", "TLSV1_"].first(where: token.hasPrefix)
        else { return nil }
        let name = token.dropFirst(prefix.count).lowercased().replacing("_", with: " ")
        let (meaning, remedy): (String, String?) =
            switch name {
            case "certificate required": ("it demands a client certificate", "give an identity: certificate and key")
            case "handshake failure":
                (
                    "it has no TLS version or cipher suite in common with us, or it demands a client certificate",
                    "give an identity if it wants one; else compare both sides' versions and ciphers"
                )
            case "unknown ca":
                (
                    "it does not trust who made our certificate",
                    "use one of an authority that the server trusts, and send those in between along"
                )
            case "certificate expired":
                ("our certificate has expired in its eyes", "renew it, and check both clocks")
            case "certificate revoked": ("our certificate was taken back", "have a new one made")
            case "bad certificate", "certificate unknown", "unsupported certificate", "access denied":
                (
                    "it refused our certificate",
                    "its log says why: issuer, dates, taken back, or not for clients (extendedKeyUsage clientAuth)"
                )
            case "protocol version": ("it speaks none of our TLS versions", "lower minimumVersion, or mend the server")
            case "insufficient security": ("our cipher suites are too weak for it", nil)
            case "unrecognized name": ("it has no certificate for that name", "ask for a name that it has: serverName")
            case "no application protocol":
                ("it speaks none of the protocols we offered (ALPN)", "compare applicationProtocols with the server's")
            case "decrypt error", "bad record mac":
                ("the two sides did not come to the same keys", "with pre-shared keys: is the key the server's?")
            case "unknown psk identity":
                ("it does not know our pre-shared key's identity", "compare it with the server's psk_file")
            case "internal error": ("something failed in it", "its log may say what")
            default: ("", nil)
            }
        return ServerTLSWords(
            reason: "the server said '\(name)'" + (meaning.isEmpty ? "" : ": \(meaning)"), remedy: remedy)
    }
}
