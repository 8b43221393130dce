/// mkcert's authority and what it issues: the same fields, files and folder, so that either program goes on where the
/// other stopped. [MK-1] to [MK-5]
package struct DevelopmentAuthority: Sendable {
    package let folder: String
    package let certificate: ParsedCertificate
    /// `nil` where only the certificate was copied here: then it can be installed, and nothing else. [MK-7]
    package let key: PrivateKey?
    /// Whether it was made just now.
    package let isNew: Bool

    package static let certificateFile = "rootCA.pem"
    package static let keyFile = "rootCA-key.pem"

    /// Reads it, or makes it on first use. [MK-2]
    ///
    /// - Parameter person: `user@host (Full Name)`.
    package init(
        folder: String, person: String, isElliptic: Bool, now: Timestamp,
        using generator: inout some RandomNumberGenerator
    ) throws {
        self.folder = folder
        let certificatePath = "\(folder)/\(Self.certificateFile)"
        let keyPath = "\(folder)/\(Self.keyFile)"
        if SecureFile.exists(certificatePath) {
            certificate = try PEMBundle.certificates(in: SecureFile.read(certificatePath), file: certificatePath)[0]
            key = SecureFile.exists(keyPath) ? try PrivateKey(file: SecureFile.read(keyPath), name: keyPath) : nil
            isNew = false
            return
        }
        let made = try PrivateKey.generate(isElliptic ? .p256 : .rsa(3072))
        let subject = try DistinguishedName([
            ("O", "mkcert development CA"), ("OU", person), ("CN", "mkcert \(person)"),
        ])
        let publicKey = try made.publicKey
        let root = try CertificateDraft(
            subject: subject, publicKey: publicKey, notBefore: now, notAfter: now.adding(years: 10, months: 0),
            serialNumber: CertificateDraft.randomSerialNumber(using: &generator),
            extensions: [
                .keyUsage(.keyCertSign), .basicConstraints(isAuthority: true, pathLength: 0),
                .subjectKeyIdentifier(publicKey),
            ]
        ).signed(by: subject, with: made)
        try DataFolder.make(folder)
        try SecureFile.write(made.pem, to: keyPath, mode: 0o400)
        try SecureFile.write(root.pem, to: certificatePath, mode: SecureFile.open)
        (certificate, key, isNew) = (root, made, true)
    }

    package struct KeyMissing: Error, CustomStringConvertible {
        package let folder: String
        package var description: String {
            "can't create new certificates because the CA key (\(keyFile)) is missing from \(folder)"
        }
    }

    /// A key and a certificate for names of any kind. [MK-3]
    package func issue(
        names: [GeneralName], person: String, isClient: Bool, isElliptic: Bool, commonName: String?, now: Timestamp,
        using generator: inout some RandomNumberGenerator
    ) throws -> (certificate: ParsedCertificate, key: PrivateKey) {
        let made = try PrivateKey.generate(isElliptic ? .p256 : .rsa(2048))
        var attributes = [("O", "mkcert development certificate"), ("OU", person)]
        if let commonName { attributes.append(("CN", commonName)) }
        let subject = try DistinguishedName(attributes)
        let extensions = Self.usage(of: names, isClient: isClient) + [.subjectAlternativeNames(names)]
        return (try sign(subject, try made.publicKey, extensions, now, using: &generator), made)
    }

    /// What a request asks for, with the usage of a server where it asks for none. [MK-5]
    package func sign(
        _ request: CertificateRequest, isClient: Bool, now: Timestamp,
        using generator: inout some RandomNumberGenerator
    ) throws -> ParsedCertificate {
        guard request.isSignedByItsKey else { throw CertificateAuthority.Fault.requestNotSigned }
        var extensions = request.extensions.filter { $0.type != CertificateExtensions.authorityKeyIdentifierType }
        func has(_ type: String) -> Bool { extensions.contains { $0.type == type } }
        if !has(CertificateExtensions.subjectAlternativeNameType), let name = request.subject.commonName {
            extensions.append(.subjectAlternativeNames([.dns(name)]))
        }
        if try CertificateExtensions(extensions).basicConstraints?.isAuthority == true {
            throw CertificateAuthority.Fault.notAnAuthority("a request for an authority is not signed; it")
        }
        let names = try CertificateExtensions(extensions).subjectAlternativeNames ?? []
        extensions += Self.usage(of: names, isClient: isClient).filter { !has($0.type) }
        return try sign(request.subject, request.publicKey, extensions, now, using: &generator)
    }

    private func sign(
        _ subject: DistinguishedName, _ publicKey: PublicKey, _ extensions: [RawExtension], _ now: Timestamp,
        using generator: inout some RandomNumberGenerator
    ) throws -> ParsedCertificate {
        guard let key else { throw KeyMissing(folder: folder) }
        if let weakness = publicKey.weakness { throw CertificateAuthority.Fault.weakKey(weakness) }
        return try CertificateDraft(
            subject: subject, publicKey: publicKey, notBefore: now, notAfter: now.adding(years: 2, months: 3),
            serialNumber: CertificateDraft.randomSerialNumber(using: &generator),
            extensions: extensions + [.authorityKeyIdentifier(certificate.keyIdentifier)]
        ).signed(by: certificate.subject, with: key)
    }

    private static func usage(of names: [GeneralName], isClient: Bool) -> [RawExtension] {
        var usages: [RawExtension.ExtendedUsage] = isClient ? [.clientAuth] : []
        let isHost = names.contains {
            switch $0 {
            case .dns, .address, .uri: true
            default: false
            }
        }
        if isHost { usages.append(.serverAuth) }
        if names.contains(where: { if case .email = $0 { true } else { false } }) { usages.append(.emailProtection) }
        return [.keyUsage([.digitalSignature, .keyEncipherment])] + (usages.isEmpty ? [] : [.extendedKeyUsage(usages)])
    }
}

extension Timestamp {
    /// Calendar years and months on; a day that the month has not runs over into the next one.
    package func adding(years: Int, months: Int) -> Timestamp {
        var moment = calendar
        let day = moment.day
        let month = moment.month - 1 + months
        (moment.year, moment.month, moment.day) = (moment.year + years + month / 12, month % 12 + 1, 1)
        return (Timestamp(moment) ?? self).adding(days: day - 1)
    }
}
