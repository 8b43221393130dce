/// The extensions we write. RFC 5280 §4.2
extension RawExtension {
    package static func basicConstraints(isAuthority: Bool, pathLength: Int? = nil) -> RawExtension {
        let value = DERWriting.sequence(
            isAuthority ? DERWriting.boolean(true) : [],
            isAuthority ? pathLength.map { DERWriting.integer($0) } ?? [] : [])
        return RawExtension(type: CertificateExtensions.basicConstraintsType, isCritical: true, value: value)
    }

    package static func keyUsage(_ usage: KeyUsage) -> RawExtension {
        var bytes: [UInt8] = [0, 0]
        for bit in 0..<9 where usage.contains(KeyUsage(rawValue: 1 << UInt16(bit))) {
            bytes[bit / 8] |= 0x80 >> UInt8(bit % 8)
        }
        while bytes.last == 0 { bytes.removeLast() }  // DER cuts what is not set (X.690 §11.2.2)
        let unused = UInt8(bytes.last?.trailingZeroBitCount ?? 0)
        return RawExtension(
            type: CertificateExtensions.keyUsageType, isCritical: true, value: DERWriting.bits(bytes, unused: unused))
    }

    package enum ExtendedUsage: String, Sendable {
        case serverAuth = "1.3.6.1.5.5.7.3.1"
        case clientAuth = "1.3.6.1.5.5.7.3.2"
        case emailProtection = "1.3.6.1.5.5.7.3.4"
    }

    package static func extendedKeyUsage(_ usages: [ExtendedUsage]) -> RawExtension {
        RawExtension(
            type: CertificateExtensions.extendedKeyUsageType, isCritical: false,
            value: DERWriting.sequence(of: usages.map { DERWriting.objectIdentifier($0.rawValue) }))
    }

    /// Critical where the subject is empty, as RFC 5280 §4.2.1.6 wants it.
    package static func subjectAlternativeNames(_ names: [GeneralName], isCritical: Bool = false) -> RawExtension {
        RawExtension(
            type: CertificateExtensions.subjectAlternativeNameType, isCritical: isCritical,
            value: DERWriting.sequence(of: names.map(\.der)))
    }

    package static func subjectKeyIdentifier(_ key: PublicKey) -> RawExtension {
        RawExtension(
            type: CertificateExtensions.subjectKeyIdentifierType, isCritical: false,
            value: DERWriting.octets(key.identifier))
    }

    package static func authorityKeyIdentifier(_ identifier: [UInt8]) -> RawExtension {
        RawExtension(
            type: CertificateExtensions.authorityKeyIdentifierType, isCritical: false,
            value: DERWriting.sequence(DERWriting.contextPrimitive(0, identifier)))
    }

    var der: [UInt8] {
        DERWriting.sequence(
            DERWriting.objectIdentifier(type), isCritical ? DERWriting.boolean(true) : [], DERWriting.octets(value))
    }
}

extension GeneralName {
    var der: [UInt8] {
        switch self {
        case .email(let text): DERWriting.contextPrimitive(1, Array(text.utf8))
        case .dns(let text): DERWriting.contextPrimitive(2, Array(text.utf8))
        case .directory(let name): DERWriting.context(4, name.der)
        case .uri(let text): DERWriting.contextPrimitive(6, Array(text.utf8))
        case .address(let bytes): DERWriting.contextPrimitive(7, bytes)
        case .other(_, let der): der
        }
    }

    /// The kind is read from the text: an address, something with `@`, something with `://`, otherwise a host name,
    /// which may begin with one `*.`, and becomes punycode where it has to. [MK-3]
    package init(_ written: String) throws(Malformed) {
        let isName = !written.contains("@") && !written.contains("/")
        let text = isName ? InternationalName.ascii(written) ?? written : written
        func fault(_ why: String) -> Malformed { Malformed("name", "\(text) \(why)") }
        guard !text.isEmpty, text.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw fault("is no host name, address, e-mail or URL")
        }
        if let address = IPAddress(text) {
            self = .address(address.bytes)
        } else if text.contains("://") {
            self = .uri(text)
        } else if let at = text.lastIndex(of: "@"), at != text.startIndex, text.index(after: at) != text.endIndex {
            self = .email(text)
        } else {
            let name = text.hasPrefix("*.") ? String(text.dropFirst(2)) : text
            let labels = name.split(separator: ".", omittingEmptySubsequences: false)
            let isHost = labels.allSatisfy { label in
                (1...63).contains(label.utf8.count) && label.first != "-" && label.last != "-"
                    && label.utf8.allSatisfy {
                        (0x30...0x39).contains($0) || (0x61...0x7A).contains($0 | 0x20) || $0 == 0x2D || $0 == 0x5F
                    }
            }
            guard isHost, text.utf8.count <= 253 else { throw fault("is no host name") }
            self = .dns(text)
        }
    }
}
