import SwiftASN1

/// How a document was signed. SHA-1 and MD5 are named so that they can be refused by name.
package struct SignatureAlgorithm: Hashable, Sendable {
    enum Hash: Hashable, Sendable { case sha256, sha384, sha512 }
    enum Scheme: Hashable, Sendable {
        case rsa(Hash), pss(Hash), ecdsa(Hash), ed25519
        /// Broken long ago: MD2, MD4, MD5, SHA-1.
        case weak
        case unknown
    }

    let scheme: Scheme
    /// As people write it: "sha256WithRSAEncryption".
    package let name: String
    /// The AlgorithmIdentifier in DER.
    let der: [UInt8]

    package var isWeak: Bool { scheme == .weak }
    package var isKnown: Bool { scheme != .unknown }

    init(_ node: ASN1Node) throws(Malformed) {
        let part = "signature algorithm"
        var members = try DERMembers(of: node, in: part)
        let kind = "\(try members.next("its name").objectIdentifier(part))"
        der = Array(node.encodedBytes)
        if kind == "1.2.840.113549.1.1.10" {
            let hash = try Self.pssHash(members.rest.first)
            scheme = hash.map { .pss($0) } ?? .unknown
            name = hash.map { "RSASSA-PSS with \($0)" } ?? "RSASSA-PSS with parameters that are not supported"
        } else if let known = Self.known[kind] {
            (name, scheme) = known
        } else {
            (name, scheme) = (kind, .unknown)
        }
    }

    private static let known: [String: (String, Scheme)] = [
        "1.2.840.113549.1.1.2": ("md2WithRSAEncryption", .weak),
        "1.2.840.113549.1.1.3": ("md4WithRSAEncryption", .weak),
        "1.2.840.113549.1.1.4": ("md5WithRSAEncryption", .weak),
        "1.2.840.113549.1.1.5": ("sha1WithRSAEncryption", .weak),
        "1.2.840.10040.4.3": ("dsaWithSHA1", .weak),
        "1.2.840.10045.4.1": ("ecdsa-with-SHA1", .weak),
        "1.2.840.113549.1.1.11": ("sha256WithRSAEncryption", .rsa(.sha256)),
        "1.2.840.113549.1.1.12": ("sha384WithRSAEncryption", .rsa(.sha384)),
        "1.2.840.113549.1.1.13": ("sha512WithRSAEncryption", .rsa(.sha512)),
        "1.2.840.10045.4.3.2": ("ecdsa-with-SHA256", .ecdsa(.sha256)),
        "1.2.840.10045.4.3.3": ("ecdsa-with-SHA384", .ecdsa(.sha384)),
        "1.2.840.10045.4.3.4": ("ecdsa-with-SHA512", .ecdsa(.sha512)),
        "1.3.101.112": ("ED25519", .ed25519),
    ]

    /// RSASSA-PSS where hash, mask and salt agree, which is what everybody writes. RFC 4055 §3.1
    private static func pssHash(_ parameters: ASN1Node?) throws(Malformed) -> Hash? {
        let part = "RSASSA-PSS parameters"
        guard let parameters else { return nil }
        var members = try DERMembers(of: parameters, in: part)
        guard let hashNode = members.next(ifContext: 0), let maskNode = members.next(ifContext: 1),
            let saltNode = members.next(ifContext: 2)
        else { return nil }  // what is left out means SHA-1
        var hashMembers = try DERMembers(of: try hashNode.explicit(part), in: part)
        let hash = "\(try hashMembers.next("hash").objectIdentifier(part))"
        var maskMembers = try DERMembers(of: try maskNode.explicit(part), in: part)
        let mask = "\(try maskMembers.next("mask").objectIdentifier(part))"
        var maskHashMembers = try DERMembers(of: try maskMembers.next("the mask's hash"), in: part)
        let maskHash = "\(try maskHashMembers.next("hash").objectIdentifier(part))"
        let salt = try saltNode.explicit(part).smallInteger(part)
        guard mask == "1.2.840.113549.1.1.8", maskHash == hash else { return nil }
        return switch (hash, salt) {
        case ("2.16.840.1.101.3.4.2.1", 32): .sha256
        case ("2.16.840.1.101.3.4.2.2", 48): .sha384
        case ("2.16.840.1.101.3.4.2.3", 64): .sha512
        default: nil
        }
    }
}

extension SignatureAlgorithm: CustomStringConvertible {
    package var description: String { name }
}
