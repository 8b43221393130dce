import SwiftASN1

/// The names an authority may issue for. Kinds that are not understood refuse the names of that kind.
/// RFC 5280 §4.2.1.10
package struct NameConstraints: Sendable {
    package let permitted: [GeneralName]
    package let excluded: [GeneralName]

    init(_ value: [UInt8]) throws(Malformed) {
        let part = "name constraints"
        var members = try DERMembers(of: try ASN1Node.document(value, part), in: part)
        permitted = try members.next(ifContext: 0).map(Self.subtrees) ?? []
        excluded = try members.next(ifContext: 1).map(Self.subtrees) ?? []
        try members.end()
    }

    private static func subtrees(_ node: ASN1Node) throws(Malformed) -> [GeneralName] {
        let part = "name constraints"
        var members = try DERMembers(of: node, tagged: nil, in: part)
        var names: [GeneralName] = []
        while !members.isAtEnd {
            var subtree = try DERMembers(of: try members.next("subtree"), in: part)
            names.append(try GeneralName(try subtree.next("base"), in: part))
            // RFC 5280 knows no other distance than 0 and no maximum.
            if !subtree.isAtEnd { throw Malformed(part, "a distance is given, which RFC 5280 forbids") }
        }
        return names
    }

    /// `nil` when the name is allowed; otherwise why it is not.
    func objection(to name: GeneralName) -> String? {
        if excluded.contains(where: { Self.isSameKind($0, name) && Self.covers($0, name) }) {
            return "\(name) is excluded"
        }
        switch name {
        case .uri(let uri)
        where Self.host(of: uri) == nil && (permitted + excluded).contains { Self.isSameKind($0, name) }:
            return "\(name) has no host that could be compared"
        case .other where excluded.contains { Self.isSameKind($0, name) }:
            return "\(name) cannot be compared with what is excluded"
        default: break
        }
        let relevant = permitted.filter { Self.isSameKind($0, name) }
        if relevant.isEmpty || relevant.contains(where: { Self.covers($0, name) }) { return nil }
        return "\(name) is not among the permitted names"
    }

    private static func isSameKind(_ constraint: GeneralName, _ name: GeneralName) -> Bool {
        switch (constraint, name) {
        case (.dns, .dns), (.address, .address), (.email, .email), (.uri, .uri), (.directory, .directory): true
        case (.other(let left, _), .other(let right, _)): left == right
        default: false
        }
    }

    private static func covers(_ constraint: GeneralName, _ name: GeneralName) -> Bool {
        switch (constraint, name) {
        case (.dns(let base), .dns(let name)): isSubdomain(name, of: base)
        case (.address(let base), .address(let bytes)): isInside(bytes, network: base)
        case (.email(let base), .email(let name)): isMailbox(name, of: base)
        case (.uri(let base), .uri(let name)): host(of: name).map { isHost($0, of: base) } ?? false
        case (.directory(let base), .directory(let name)): isBelow(name, base)
        default: false
        }
    }

    /// "example.com" covers itself and everything below; ".example.com" only what is below.
    private static func isSubdomain(_ name: String, of base: String) -> Bool {
        let (name, base) = (name.lowercased(), base.lowercased())
        if base.isEmpty { return true }
        if base.hasPrefix(".") { return name.hasSuffix(base) }
        return name == base || name.hasSuffix("." + base)
    }

    /// "host" is that host alone, ".domain" everything below it.
    private static func isHost(_ host: String, of base: String) -> Bool {
        let (host, base) = (host.lowercased(), base.lowercased())
        return base.hasPrefix(".") ? host.hasSuffix(base) : host == base
    }

    private static func isMailbox(_ name: String, of base: String) -> Bool {
        guard let at = name.lastIndex(of: "@") else { return false }
        let host = String(name[name.index(after: at)...])
        if let baseAt = base.lastIndex(of: "@") {
            return name[..<at] == base[..<baseAt]
                && host.lowercased() == base[base.index(after: baseAt)...].lowercased()
        }
        return isHost(host, of: base)
    }

    /// The host of `scheme://user@host:port/path`; `nil` where there is none.
    private static func host(of uri: String) -> String? {
        guard let colon = uri.firstIndex(of: ":"), uri[colon...].hasPrefix("://") else { return nil }
        let authority = uri[uri.index(colon, offsetBy: 3)...].prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        let afterUser = authority.split(separator: "@", omittingEmptySubsequences: false).last ?? authority
        let host = afterUser.hasPrefix("[") ? afterUser.prefix { $0 != "]" } : afterUser.prefix { $0 != ":" }
        return host.isEmpty ? nil : String(host)
    }

    private static func isInside(_ bytes: [UInt8], network: [UInt8]) -> Bool {
        guard network.count == bytes.count * 2 else { return false }
        return bytes.indices.allSatisfy { index in
            let mask = network[bytes.count + index]
            return bytes[index] & mask == network[index] & mask
        }
    }

    private static func isBelow(_ name: DistinguishedName, _ base: DistinguishedName) -> Bool {
        guard name.relativeNames.count >= base.relativeNames.count else { return false }
        return DistinguishedName.firstNames(base.relativeNames.count, of: name) == base.canonical
    }
}

extension DistinguishedName {
    /// The canonical form of the first `count` relative names.
    fileprivate static func firstNames(_ count: Int, of name: DistinguishedName) -> [UInt8] {
        canonical(Array(name.relativeNames.prefix(count)))
    }
}
