import SwiftASN1

/// The members of one SEQUENCE or SET, read in order. SwiftASN1 has already checked lengths and depth (at most 50);
/// this adds the names of the parts, so that an error says what was being read.
struct DERMembers {
    private let nodes: [ASN1Node]
    private var index = 0
    private let part: String

    init(of node: ASN1Node, tagged identifier: ASN1Identifier? = .sequence, in part: String) throws(Malformed) {
        if let identifier, node.identifier != identifier {
            throw Malformed(part, "expected \(identifier), found \(node.identifier)")
        }
        guard case .constructed(let children) = node.content else {
            throw Malformed(part, "expected a list of members, found a single value")
        }
        self.nodes = Array(children)
        self.part = part
    }

    var isAtEnd: Bool { index == nodes.count }
    var rest: ArraySlice<ASN1Node> { nodes[index...] }
    var peek: ASN1Node? { index < nodes.count ? nodes[index] : nil }

    mutating func next(_ member: String) throws(Malformed) -> ASN1Node {
        guard index < nodes.count else { throw Malformed(part, "\(member) is missing") }
        defer { index += 1 }
        return nodes[index]
    }

    /// The next member if it has this tag.
    mutating func next(if identifier: ASN1Identifier) -> ASN1Node? {
        guard let node = peek, node.identifier == identifier else { return nil }
        index += 1
        return node
    }

    /// The next member if it has this context-specific tag.
    mutating func next(ifContext number: UInt) -> ASN1Node? { next(if: .context(number)) }

    func end() throws(Malformed) {
        if !isAtEnd { throw Malformed(part, "there are \(nodes.count - index) members too many") }
    }
}

extension ASN1Identifier {
    static func context(_ number: UInt) -> ASN1Identifier {
        ASN1Identifier(tagWithNumber: number, tagClass: .contextSpecific)
    }
}

extension ASN1Node {
    /// One DER document, with nothing after it.
    static func document(_ bytes: [UInt8], _ part: String) throws(Malformed) -> ASN1Node {
        try document(bytes[...], part)
    }

    static func document(_ bytes: ArraySlice<UInt8>, _ part: String) throws(Malformed) -> ASN1Node {
        do { return try DER.parse(bytes) } catch { throw Malformed(part, "not DER, or cut off") }
    }

    func primitive(_ part: String) throws(Malformed) -> ArraySlice<UInt8> {
        guard case .primitive(let bytes) = content else { throw Malformed(part, "expected a single value") }
        return bytes
    }

    /// The one member of an explicitly tagged value.
    func explicit(_ part: String) throws(Malformed) -> ASN1Node {
        var members = try DERMembers(of: self, tagged: nil, in: part)
        let inner = try members.next("its value")
        try members.end()
        return inner
    }

    /// The content bytes of an INTEGER, two's complement, big-endian, without bytes that say nothing: the same
    /// number is the same bytes, however it was written.
    func integerBytes(_ part: String) throws(Malformed) -> ArraySlice<UInt8> {
        guard identifier == .integer || identifier == .enumerated || identifier.tagClass == .contextSpecific else {
            throw Malformed(part, "expected an integer")
        }
        var bytes = try primitive(part)
        guard !bytes.isEmpty else { throw Malformed(part, "an integer without bytes") }
        while bytes.count > 1, let first = bytes.first, first == (bytes[bytes.startIndex + 1] < 0x80 ? 0 : 0xFF) {
            bytes.removeFirst()
        }
        return bytes
    }

    /// An INTEGER that must be 0 or more and fit 31 bits.
    func smallInteger(_ part: String) throws(Malformed) -> Int {
        let bytes = try integerBytes(part)
        guard bytes.count <= 4, bytes.first! < 0x80 else { throw Malformed(part, "out of range") }
        return bytes.reduce(0) { $0 << 8 | Int($1) }
    }

    func objectIdentifier(_ part: String) throws(Malformed) -> ASN1ObjectIdentifier {
        do { return try ASN1ObjectIdentifier(derEncoded: self) } catch { throw Malformed(part, "no object identifier") }
    }

    func boolean(_ part: String) throws(Malformed) -> Bool {
        guard identifier == .boolean else { throw Malformed(part, "expected true or false") }
        let bytes = try primitive(part)
        guard bytes.count == 1 else { throw Malformed(part, "expected true or false") }
        return bytes.first! != 0
    }

    func octets(_ part: String) throws(Malformed) -> ArraySlice<UInt8> {
        guard identifier == .octetString else { throw Malformed(part, "expected an octet string") }
        return try primitive(part)
    }

    /// A BIT STRING's bytes, without the count of padding bits in front.
    func bits(_ part: String) throws(Malformed) -> ArraySlice<UInt8> {
        guard identifier == .bitString else { throw Malformed(part, "expected a bit string") }
        let bytes = try primitive(part)
        guard let padding = bytes.first, padding < 8, padding == 0 || bytes.count > 1 else {
            throw Malformed(part, "a bit string that counts its padding wrongly")
        }
        return bytes.dropFirst()
    }

    func time(_ part: String) throws(Malformed) -> Timestamp {
        let bytes = try primitive(part)
        let parsed: Timestamp? =
            switch identifier {
            case .utcTime: Timestamp(utcTime: bytes)
            case .generalizedTime: Timestamp(generalizedTime: bytes)
            default: nil
            }
        guard let parsed else { throw Malformed(part, "not a time as RFC 5280 §4.1.2.5 writes it") }
        return parsed
    }
}
