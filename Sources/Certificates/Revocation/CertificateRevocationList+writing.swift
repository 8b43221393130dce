extension CertificateRevocationList {
    /// A complete list, signed by the issuer itself. RFC 5280 §5.1
    ///
    /// - Parameter number: grows with every list (§5.2.3).
    package init(
        issuer: ParsedCertificate, key: PrivateKey, entries: [Entry], thisUpdate: Timestamp, nextUpdate: Timestamp,
        number: [UInt8]
    ) throws {
        let revoked = entries.map { entry in
            let reason = entry.reason.map { reason in
                DERWriting.sequence(
                    RawExtension(
                        type: "2.5.29.21", isCritical: false, value: [0x0A, 0x01, UInt8(reason.rawValue)]
                    ).der)
            }
            return DERWriting.sequence(
                DERWriting.integer(raw: entry.serialNumber), DERWriting.time(entry.revokedAt), reason ?? [])
        }
        let extensions = [
            RawExtension.authorityKeyIdentifier(issuer.keyIdentifier),
            RawExtension(type: "2.5.29.20", isCritical: false, value: DERWriting.integer(number)),
        ]
        let body = DERWriting.sequence(
            DERWriting.integer(1), key.signatureAlgorithm, issuer.subject.der, DERWriting.time(thisUpdate),
            DERWriting.time(nextUpdate), revoked.isEmpty ? [] : DERWriting.sequence(of: revoked),
            DERWriting.context(0, DERWriting.sequence(of: extensions.map(\.der))))
        try self.init(der: try key.signed(body))
    }

    /// This list with one more entry, newly dated and numbered. An entry that is there already stays as it is.
    package func adding(
        _ entry: Entry?, issuer: ParsedCertificate, key: PrivateKey, thisUpdate: Timestamp, nextUpdate: Timestamp
    ) throws -> CertificateRevocationList {
        var entries = entries
        if let entry, self.entry(forSerialNumber: entry.serialNumber) == nil { entries.append(entry) }
        return try CertificateRevocationList(
            issuer: issuer, key: key, entries: entries, thisUpdate: thisUpdate, nextUpdate: nextUpdate,
            number: SerialNumber.next(after: number ?? [0]))
    }

    package var pem: String { PEMBundle.text(label: "X509 CRL", der: der) }
}

/// Numbers of any length, big-endian, as serial numbers and CRL numbers are.
package enum SerialNumber {
    /// One more. A byte is added where all of them overflow.
    package static func next(after number: [UInt8]) -> [UInt8] {
        var digits = number
        for index in digits.indices.reversed() {
            digits[index] &+= 1
            if digits[index] != 0 { return digits }
        }
        return [1] + digits
    }

    /// As OpenSSL writes `ca.srl`: upper-case hexadecimal, whole bytes.
    package static func text(_ number: [UInt8]) -> String {
        let digits = Array(number.drop { $0 == 0 })
        return Hexadecimal.upper(digits.isEmpty ? [0] : digits)
    }

    package static func parse(_ text: String) -> [UInt8]? {
        let digits = text.filter { !$0.isWhitespace }
        return digits.isEmpty ? nil : Hexadecimal.bytes(digits.count % 2 == 0 ? digits : "0" + digits)
    }
}
