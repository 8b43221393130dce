/// Several DER documents in one file, one after the other.
package enum DERSplit {
    package static func documents(in bytes: [UInt8], file: String) throws(PEMBundle.Fault) -> [[UInt8]] {
        var parts: [[UInt8]] = []
        var rest = bytes[...]
        while let length = length(of: rest) {
            guard length <= rest.count else { break }
            parts.append(Array(rest.prefix(length)))
            rest = rest.dropFirst(length)
        }
        guard rest.isEmpty, !parts.isEmpty else {
            throw PEMBundle.Fault(file: file, block: parts.count + 1, reason: "neither PEM nor whole DER")
        }
        return parts
    }

    /// Header and content of the SEQUENCE that begins here.
    private static func length(of bytes: ArraySlice<UInt8>) -> Int? {
        guard bytes.count >= 2, bytes.first == 0x30 else { return nil }
        let first = Int(bytes[bytes.startIndex + 1])
        if first < 0x80 { return first + 2 }
        let count = first & 0x7F
        guard (1...4).contains(count), bytes.count >= 2 + count else { return nil }
        return bytes.dropFirst(2).prefix(count).reduce(0) { $0 << 8 | Int($1) } + 2 + count
    }
}
