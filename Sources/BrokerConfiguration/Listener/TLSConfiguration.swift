/// What the file says about TLS on one listener: paths and words, nothing of them opened or understood yet.
///
/// There is a certificate with its key, or a hint for pre-shared keys, or both.
package struct TLSConfiguration: Sendable, Equatable {
    /// The server's certificate and its chain, PEM. `nil` only where `pskHint` is set. mosquitto: `certfile`.
    package var certificateFile: String?
    /// Its key, PEM; there exactly when the certificate is. mosquitto: `keyfile`.
    package var keyFile: String?
    /// A file with the passphrase of an encrypted key, one line, readable by its owner alone. Default `nil`: the operator is
    /// asked at the start. Ours: `keyfile_password_file`.
    package var keyPasswordFile: String?
    /// Certificates whose holders' clients are trusted, PEM. mosquitto: `cafile`.
    package var authorityFile: String?
    /// A folder of such files. mosquitto: `capath`.
    package var authorityFolder: String?
    /// Revoked certificates, PEM. mosquitto: `crlfile`.
    package var revocationListFile: String?
    /// Whether a client must show a certificate. Default false. mosquitto: `require_certificate`.
    package var requiresCertificate = false
    /// Lowest version spoken. Default 1.2. mosquitto: `tls_version`.
    package var minimumVersion = Version.v1_2
    /// OpenSSL's names for TLS 1.2, joined by `:`. Default the library's own. mosquitto: `ciphers`.
    package var ciphers: String?
    /// The same for TLS 1.3. mosquitto: `ciphers_tls1.3`.
    package var ciphersTLS13: String?
    /// Told to clients that come with a pre-shared key, and switches these on. Default none. mosquitto: `psk_hint`.
    package var pskHint: String?
    /// Whether a client's certificate must be valid today. Default true. mosquitto: `disable_client_cert_date_checks`.
    package var checksClientDates = true

    /// `rawValue` is mosquitto's word for it.
    package enum Version: String, Sendable, Comparable {
        case v1_2 = "tlsv1.2"
        case v1_3 = "tlsv1.3"

        package static func < (one: Version, other: Version) -> Bool { one.rawValue < other.rawValue }
    }

    package init() {}
}
