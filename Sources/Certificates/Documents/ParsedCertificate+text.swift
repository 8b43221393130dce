extension ParsedCertificate {
    /// Its facts, as `openssl x509 -text` gives them, for people: [E40]
    package func text(at now: Timestamp) -> String {
        var lines = [
            "Certificate of \(displayName)",
            "  Version:        \(version)",
            "  Serial number:  \(Hexadecimal.colons(serialNumber))",
            "  Issuer:         \(issuer)\(isSelfIssued ? " (itself)" : "")",
            "  Subject:        \(subject)",
            "  Valid:          \(notBefore) to \(notAfter)\(remaining(at: now))",
            "  Key:            \(publicKey)",
            "  Signature:      \(signatureAlgorithm)",
        ]
        lines += extensions.all.map { "  " + Self.text(of: $0, in: extensions) }
        lines.append("  Fingerprint:    SHA-256 \(Hexadecimal.colons(fingerprint))")
        return lines.joined(separator: "\n") + "\n"
    }

    private func remaining(at now: Timestamp) -> String {
        if now < notBefore { return " (not yet)" }
        let days = notAfter.days(since: now)
        return days < 0 ? " (expired)" : " (\(days) \(days == 1 ? "day" : "days") left)"
    }

    /// One line an extension, the known ones with their content.
    private static func text(of one: RawExtension, in all: CertificateExtensions) -> String {
        func line(_ name: String, _ value: String) -> String {
            "\(name)\(one.isCritical ? " (critical)" : ""): \(value)"
        }
        switch one.type {
        case CertificateExtensions.basicConstraintsType:
            let length = all.basicConstraints?.pathLength.map { ", pathlen:\($0)" } ?? ""
            return line(
                "Basic constraints", "CA:\(all.basicConstraints?.isAuthority == true ? "TRUE" : "FALSE")\(length)")
        case CertificateExtensions.keyUsageType:
            let names = KeyUsage.names.filter { all.keyUsage?.contains($0.0) == true }.map(\.1)
            return line("Key usage", names.joined(separator: ", "))
        case CertificateExtensions.extendedKeyUsageType:
            let names = (all.extendedKeyUsage ?? []).map { purposeNames[$0] ?? $0 }
            return line("Extended key usage", names.joined(separator: ", "))
        case CertificateExtensions.subjectAlternativeNameType:
            let names = (all.subjectAlternativeNames ?? []).map(\.description)
            return line("Subject alternative name", names.joined(separator: ", "))
        case CertificateExtensions.subjectKeyIdentifierType:
            return line("Subject key identifier", Hexadecimal.colons(all.subjectKeyIdentifier ?? []))
        case CertificateExtensions.authorityKeyIdentifierType:
            return line("Authority key identifier", Hexadecimal.colons(all.authorityKeyIdentifier?.keyIdentifier ?? []))
        case CertificateExtensions.nameConstraintsType:
            let permitted = (all.nameConstraints?.permitted ?? []).map(\.description).joined(separator: ", ")
            let excluded = (all.nameConstraints?.excluded ?? []).map(\.description).joined(separator: ", ")
            return line(
                "Name constraints",
                [permitted.isEmpty ? "" : "permitted \(permitted)", excluded.isEmpty ? "" : "excluded \(excluded)"]
                    .filter { !$0.isEmpty }.joined(separator: "; "))
        case let type: return line("Extension \(type)", "\(one.value.count) bytes")
        }
    }

    private static let purposeNames = [
        "1.3.6.1.5.5.7.3.1": "TLS server (serverAuth)", "1.3.6.1.5.5.7.3.2": "TLS client (clientAuth)",
        "1.3.6.1.5.5.7.3.3": "code signing", "1.3.6.1.5.5.7.3.4": "e-mail (emailProtection)",
        "1.3.6.1.5.5.7.3.8": "time stamping", "1.3.6.1.5.5.7.3.9": "OCSP signing", "2.5.29.37.0": "any",
    ]
}

extension CertificateRevocationList {
    package func text(at now: Timestamp) -> String {
        let until = nextUpdate.map { "\($0)\(now > $0 ? " (expired)" : "")" } ?? "no end"
        var lines = [
            "CRL of \(issuer)",
            "  Number:         \(number.map { SerialNumber.text($0) } ?? "none")",
            "  Valid:          \(thisUpdate) to \(until)",
            "  Signature:      \(signatureAlgorithm)",
            "  Revoked:        \(entries.count)",
        ]
        lines += entries.map {
            "    \(Hexadecimal.colons($0.serialNumber)) on \($0.revokedAt)" + ($0.reason.map { " (\($0))" } ?? "")
        }
        return lines.joined(separator: "\n") + "\n"
    }
}

extension CertificateRequest {
    package func text() throws -> String {
        let extensions = try CertificateExtensions(extensions)
        let names = (extensions.subjectAlternativeNames ?? []).map(\.description).joined(separator: ", ")
        return """
            Certificate request of \(subject)
              Key:            \(publicKey)
              Signature:      \(signatureAlgorithm), \(isSignedByItsKey ? "made with this key" : "NOT made with this key")
              Names:          \(names.isEmpty ? "none beside the subject" : names)

            """
    }
}
