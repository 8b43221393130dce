import NIOSSL

/// Why a handshake failed, in words for whoever reads the log. BoringSSL's own are kept where nothing better is known.
enum TLSFailure {
    /// - Parameters:
    ///   - refusal: what our verdict over the peer's certificate was, if there was one.
    ///   - alert: what the peer said in the clear.
    static func text(_ error: any Error, refusal: String?, alert: UInt8?) -> String {
        if let refusal { return refusal }
        if let alert { return text(alert: alerts[alert] ?? "alert \(alert)") }
        if let refused = error as? PeerProof.Refused { return refused.reason }
        guard let token = token(of: error) else {
            if case NIOSSLError.uncleanShutdown = error { return hungUp }
            return "\(error)"
        }
        if let words = words[token] { return words }
        guard let range = token.firstRange(of: "_ALERT_") else { return token }
        return text(alert: token[range.upperBound...].lowercased().replacing("_", with: " "))
    }

    private static let hungUp = "the client hung up during the handshake"

    /// BoringSSL's name for the first error of its stack.
    static func token(of error: any Error) -> String? {
        switch error {
        case NIOSSLError.handshakeFailed(let inner): return token(of: inner)
        case BoringSSLError.sslError(let stack), BoringSSLError.unknownError(let stack):
            guard let first = stack.first else { return nil }
            if first == .eofDuringHandshake { return "EOF" }
            // "Error: N error:HEX:library:function:REASON at FILE:LINE"
            let text = first.description
            let end = text.firstRange(of: " at ")?.lowerBound ?? text.endIndex
            return text[..<end].split(separator: ":").last.map(String.init)
        default: return nil
        }
    }

    private static let words = [
        "EOF": hungUp,
        "PEER_DID_NOT_RETURN_A_CERTIFICATE":
            "the client showed no certificate, and require_certificate asks for one",
        "CERTIFICATE_VERIFY_FAILED": "the client's certificate was refused",
        "HTTP_REQUEST": "an HTTP request came to a TLS port: the client must speak TLS (https, wss)",
        "HTTPS_PROXY_REQUEST": "an HTTP proxy's request came to a TLS port",
        "WRONG_VERSION_NUMBER": "what came is not TLS: a client without TLS on a TLS port?",
        "UNSUPPORTED_PROTOCOL":
            "the client speaks only TLS versions older than tls_version allows, or newer than 1.2 on a listener with psk_hint",
        "NO_SHARED_CIPHER": "the client offers none of our cipher suites (ciphers), or none that fits our kind of key",
        "NO_COMMON_SIGNATURE_ALGORITHMS": "the client accepts no signature that our key can make",
        "NO_SHARED_GROUP": "the client offers none of our elliptic curves",
        "PSK_IDENTITY_NOT_FOUND": "the client's PSK identity is not in psk_file",
        "DECRYPTION_FAILED_OR_BAD_RECORD_MAC":
            "the client's pre-shared key is not ours, or its bytes were damaged on the way",
        "DIGEST_CHECK_FAILED": "the client's pre-shared key is not ours",
        "BAD_DECRYPT": "the client's pre-shared key is not ours, or its bytes were damaged on the way",
    ]

    /// What the client told us by an alert before it went away.
    private static func text(alert name: String) -> String {
        let meaning =
            switch name {
            case "unknown ca": "it does not trust the issuer of our certificate; give it the right CA file"
            case "bad certificate":
                "it does not accept our certificate, often because its name is not the host it asked for"
            case "internal error":
                "mosquitto's tools say so when they do not accept our certificate, "
                    + "often because its name is not the host they asked for"
            case "certificate expired": "our certificate has expired in its eyes; check the dates and both clocks"
            case "certificate unknown": "it does not accept our certificate"
            case "unsupported certificate": "it cannot use our kind of certificate"
            case "protocol version": "it speaks none of our TLS versions"
            case "handshake failure": "it found no common cipher suite or key"
            case "decrypt error": "the keys of the two sides do not fit together"
            default: ""
            }
        return "the client said '\(name)'" + (meaning.isEmpty ? "" : ": \(meaning)")
    }

    /// RFC 8446 §6
    private static let alerts: [UInt8: String] = [
        10: "unexpected message", 20: "bad record mac", 40: "handshake failure", 42: "bad certificate",
        43: "unsupported certificate", 44: "certificate revoked", 45: "certificate expired", 46: "certificate unknown",
        47: "illegal parameter", 48: "unknown ca", 49: "access denied", 50: "decode error", 51: "decrypt error",
        70: "protocol version", 71: "insufficient security", 80: "internal error", 90: "user canceled",
        112: "unrecognized name",
    ]
}
