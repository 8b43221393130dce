/// What a listener's TLS is made from: paths and words as the operator wrote them. `TLSSnapshot` opens and checks them.
package struct TLSSettings: Sendable, Equatable {
    /// `certfile`: certificate and chain, PEM.
    package var certificateFile: String?
    /// `keyfile`, PEM.
    package var keyFile: String?
    /// `cafile`, PEM.
    package var authorityFile: String?
    /// `capath`: a folder of such files.
    package var authorityFolder: String?
    /// `crlfile`, PEM.
    package var revocationListFile: String?
    /// `require_certificate`. Without it no client is asked for one.
    package var requiresCertificate = false
    /// `disable_client_cert_date_checks`, the other way round.
    package var checksClientDates = true
    /// `tls_version`: nothing older than 1.3 instead of 1.2.
    package var requiresTLS13 = false
    /// `ciphers`, OpenSSL's names for TLS 1.2.
    package var ciphers: String?
    /// `ciphers_tls1.3`.
    package var ciphersTLS13: String?
    /// `psk_hint`: switches pre-shared keys on, and with them TLS 1.3 off.
    package var pskHint: String?
    /// `psk_file`.
    package var pskFile: String?

    package init() {}
}
