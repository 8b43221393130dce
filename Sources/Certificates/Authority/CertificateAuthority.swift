/// An authority that can issue: its certificate and its key.
package struct CertificateAuthority: Sendable {
    package let certificate: ParsedCertificate
    package let key: PrivateKey

    package enum Fault: Error, Equatable, Sendable, CustomStringConvertible {
        case keyDoesNotFit
        case notAnAuthority(String)
        case requestNotSigned
        case weakKey(String)
        case outlived(Timestamp)

        package var description: String {
            switch self {
            case .keyDoesNotFit: "the key is not the one of the authority's certificate"
            case .notAnAuthority(let name): "\(name) is no certificate authority (basicConstraints CA:TRUE is missing)"
            case .requestNotSigned: "the request is not signed with the key it is for"
            case .weakKey(let key): "its key, \(key), is too short: take RSA with 2048 bits or more, or P-256"
            case .outlived(let at): "the authority's certificate has expired on \(at); make a new one"
            }
        }
    }

    package init(certificate: ParsedCertificate, key: PrivateKey) throws {
        guard try key.publicKey == certificate.publicKey else { throw Fault.keyDoesNotFit }
        // Version 1 roots, as old recipes make them, have no way to say so.
        guard certificate.extensions.basicConstraints?.isAuthority ?? (certificate.version < 3) else {
            throw Fault.notAnAuthority(certificate.displayName)
        }
        (self.certificate, self.key) = (certificate, key)
    }

    /// Self-signed, with what OpenSSL's `v3_ca` section gives: CA:TRUE critical, both key identifiers; and the
    /// key usage RFC 5280 wants.
    package static func make(
        subject: DistinguishedName, key: PrivateKey, from: Timestamp, days: Int, pathLength: Int? = nil,
        usage: KeyUsage = [.keyCertSign, .cRLSign], using generator: inout some RandomNumberGenerator
    ) throws -> CertificateAuthority {
        let publicKey = try key.publicKey
        let draft = CertificateDraft(
            subject: subject, publicKey: publicKey, notBefore: from, notAfter: from.adding(days: days),
            serialNumber: CertificateDraft.randomSerialNumber(using: &generator),
            extensions: [
                .basicConstraints(isAuthority: true, pathLength: pathLength), .keyUsage(usage),
                .subjectKeyIdentifier(publicKey), .authorityKeyIdentifier(publicKey.identifier),
            ])
        return try CertificateAuthority(certificate: try draft.signed(by: subject, with: key), key: key)
    }

    /// What a certificate is issued for.
    package struct Order: Sendable {
        package var subject: DistinguishedName
        package var publicKey: PublicKey
        package var names: [GeneralName]
        package var usages: [RawExtension.ExtendedUsage]
        package var from: Timestamp
        package var until: Timestamp
        package var serialNumber: [UInt8]
        /// Taken over as they are; types that are written anyway are left out.
        package var extra: [RawExtension] = []

        package init(
            subject: DistinguishedName, publicKey: PublicKey, names: [GeneralName],
            usages: [RawExtension.ExtendedUsage], from: Timestamp, until: Timestamp, serialNumber: [UInt8],
            extra: [RawExtension] = []
        ) {
            (self.subject, self.publicKey, self.names, self.usages) = (subject, publicKey, names, usages)
            (self.from, self.until, self.serialNumber, self.extra) = (from, until, serialNumber, extra)
        }
    }

    /// A leaf, version 3. It never outlives this authority: what does is refused by everybody from that day on.
    package func issue(_ order: Order) throws -> ParsedCertificate {
        if let weakness = order.publicKey.weakness { throw Fault.weakKey(weakness) }
        guard certificate.notAfter > order.from else { throw Fault.outlived(certificate.notAfter) }
        var extensions: [RawExtension] = [
            .basicConstraints(isAuthority: false), .keyUsage([.digitalSignature, .keyEncipherment]),
        ]
        if !order.usages.isEmpty { extensions.append(.extendedKeyUsage(order.usages)) }
        if !order.names.isEmpty {
            extensions.append(.subjectAlternativeNames(order.names, isCritical: order.subject.isEmpty))
        }
        extensions.append(.subjectKeyIdentifier(order.publicKey))
        extensions.append(.authorityKeyIdentifier(certificate.keyIdentifier))
        extensions += order.extra.filter { extra in !extensions.contains { $0.type == extra.type } }
        return try CertificateDraft(
            subject: order.subject, publicKey: order.publicKey, notBefore: order.from,
            notAfter: min(order.until, certificate.notAfter), serialNumber: order.serialNumber, extensions: extensions
        ).signed(by: certificate.subject, with: key)
    }

    /// Signs a request: its names are copied, `names` added; where there are none at all, the common name becomes
    /// one if it is a host name. [CT-2]
    package func sign(
        _ request: CertificateRequest, names: [GeneralName], usages: [RawExtension.ExtendedUsage], from: Timestamp,
        until: Timestamp, serialNumber: [UInt8]
    ) throws -> ParsedCertificate {
        guard request.isSignedByItsKey else { throw Fault.requestNotSigned }
        let asked = try CertificateExtensions(request.extensions)
        var all = asked.subjectAlternativeNames ?? []
        all += names.filter { !all.contains($0) }
        if all.isEmpty, usages.contains(.serverAuth), let name = request.subject.commonName,
            let made = try? GeneralName(name)
        {
            all = [made]
        }
        return try issue(
            Order(
                subject: request.subject, publicKey: request.publicKey, names: all, usages: usages, from: from,
                until: until, serialNumber: serialNumber))
    }
}
