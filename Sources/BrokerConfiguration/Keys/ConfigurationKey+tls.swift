/// The rows about TLS. What they come to together: `ConfigurationReader+listeners`.
extension ConfigurationKey {
    static let tlsRows: [ConfigurationKey] = [
        .text(
            "certfile", .tls, scope: .listener, value: "PATH", default: "none",
            "The server's certificate and its chain, PEM. With `keyfile` it makes the listener speak TLS.",
            into: .listener { $0.tls.certificateFile = $1 }),
        .text(
            "keyfile", .tls, scope: .listener, value: "PATH", default: "none", "The certificate's key, PEM.",
            into: .listener { $0.tls.keyFile = $1 }),
        .text(
            "keyfile_password_file", .tls, scope: .listener, value: "PATH", default: "none: asked at the start",
            "Ours. A file that only its owner may read, with the passphrase of an encrypted key in its first line.",
            into: .listener { $0.tls.keyPasswordFile = $1 }),
        .text(
            "cafile", .tls, scope: .listener, value: "PATH", default: "none",
            "Certificate authorities whose clients are trusted, PEM.",
            into: .listener { $0.tls.authorityFile = $1 }),
        .text(
            "capath", .tls, scope: .listener, value: "FOLDER", default: "none", "A folder of such files.",
            into: .listener { $0.tls.authorityFolder = $1 }),
        .text(
            "crlfile", .tls, scope: .listener, value: "PATH", default: "none",
            "Certificates that are revoked, PEM. A list that is missing or out of date refuses everybody.",
            into: .listener { $0.tls.revocationListFile = $1 }),
        .flag(
            "require_certificate", .tls, scope: .listener, default: "`false`",
            "Whether a client must show a certificate that one of those authorities signed; with `enable_proxy_protocol 2`, "
                + "one that the proxy has verified.",
            into: .listener { $0.tls.requiresCertificate = $1 }),
        .flag(
            "use_identity_as_username", .tls, scope: .listener, default: "`false`",
            "The certificate's common name (also of one that a proxy has verified), or the identity of a pre-shared key, "
                + "becomes the user name; no password is asked. Goes before `use_subject_as_username`.",
            into: .listener { $0.usesIdentity = $1 }),
        .flag(
            "use_subject_as_username", .tls, scope: .listener, default: "`false`",
            "The certificate's whole subject, `CN=…,OU=…,O=…,L=…,ST=…,C=…`, becomes the user name.",
            into: .listener { $0.usesSubject = $1 }),
        .statement(
            "tls_version", .tls, scope: .listener, value: "`tlsv1.2` or `tlsv1.3`", default: "`tlsv1.2`",
            "The lowest version spoken.", .tlsVersion),
        .text(
            "ciphers", .tls, scope: .listener, value: "OpenSSL's names, joined by `:`",
            default: "the library's", "Cipher suites of TLS 1.2, best first.",
            into: .listener { $0.tls.ciphers = $1 }),
        .text(
            "ciphers_tls1.3", .tls, scope: .listener, value: "OpenSSL's names, joined by `:`",
            default: "the library's", "Cipher suites of TLS 1.3.",
            into: .listener { $0.tls.ciphersTLS13 = $1 }),
        .flag(
            "disable_client_cert_date_checks", .tls, scope: .listener, default: "`false`",
            "Also admit client certificates that are expired or not valid yet, for devices without a clock.",
            into: .listener { $0.tls.checksClientDates = !$1 }),
        .text(
            "psk_hint", .tls, scope: .listener, value: "text", default: "none",
            "Makes the listener speak TLS 1.2 with the pre-shared keys of `psk_file`, and is told to its clients.",
            into: .listener { $0.tls.pskHint = $1 }),
        .text(
            "dhparamfile", .tls, scope: .listener, value: "PATH", default: "none",
            "Parameters of an old kind of key exchange.",
            standing: .ignored("keys are agreed on over elliptic curves only, which need no parameters"),
            into: .listener { _, _ in }),
        .text(
            "tls_engine", .tls, scope: .listener, value: "NAME", default: "none",
            "An OpenSSL engine that holds the key.",
            standing: .ignored("Martlet reads keys from files; OpenSSL's engines do not exist in its TLS library"),
            into: .listener { _, _ in }),
        .text(
            "tls_engine_kpass_sha1", .tls, scope: .listener, value: "hash", default: "none",
            "The hash of that engine's password.",
            standing: .ignored("Martlet reads keys from files; OpenSSL's engines do not exist in its TLS library"),
            into: .listener { _, _ in }),
        .statement(
            "tls_keyform", .tls, scope: .listener, value: "`pem`; `engine` is refused", default: "`pem`",
            "How the key is kept.", .tlsKeyForm),
    ]
}
