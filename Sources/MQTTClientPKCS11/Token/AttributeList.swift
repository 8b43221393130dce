import CPKCS11

/// Attributes of an object as PKCS#11 takes them, with the bytes they point to. What it held is wiped when a call is over:
/// a private key may be among it.
struct AttributeList {
    private var entries: [(type: CK_ULONG, bytes: [UInt8])] = []

    mutating func add(_ type: CK_ULONG, _ bytes: [UInt8]) { entries.append((type, bytes)) }
    mutating func add(_ type: CK_ULONG, _ flag: Bool) { add(type, [flag ? 1 : 0]) }
    mutating func add(_ type: CK_ULONG, _ text: String) { add(type, Array(text.utf8)) }
    mutating func add(_ type: CK_ULONG, _ number: CK_ULONG) {
        add(type, withUnsafeBytes(of: number) { Array($0) })
    }

    /// Calls `body` with the attributes; what it is given lives no longer than that.
    func withAttributes<Result>(_ body: (UnsafeMutablePointer<CK_ATTRIBUTE>, CK_ULONG) -> Result) -> Result {
        let step = MemoryLayout<CK_ULONG>.alignment  // numbers must lie where numbers may lie
        let places = entries.map { ($0.bytes.count + step - 1) / step * step }
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: max(places.reduce(0, +), 1), alignment: step)
        defer {
            for index in memory.indices { memory[index] = 0 }
            memory.deallocate()
        }
        let list = UnsafeMutableBufferPointer<CK_ATTRIBUTE>.allocate(capacity: max(entries.count, 1))
        defer { list.deallocate() }
        var offset = 0
        for (index, entry) in entries.enumerated() {
            let part = UnsafeMutableRawBufferPointer(rebasing: memory[offset..<(offset + entry.bytes.count)])
            part.copyBytes(from: entry.bytes)
            list.initializeElement(
                at: index,
                to: CK_ATTRIBUTE(
                    type: entry.type, value: part.baseAddress, length: CK_ULONG(entry.bytes.count)))
            offset += places[index]
        }
        guard let start = list.baseAddress else { preconditionFailure("at least one place was allocated") }
        return body(start, CK_ULONG(entries.count))
    }
}

/// The number that an attribute's bytes are, nil where they are none.
func attributeNumber(_ bytes: [UInt8]) -> CK_ULONG? {
    guard bytes.count == MemoryLayout<CK_ULONG>.size else { return nil }
    return bytes.withUnsafeBytes { $0.loadUnaligned(as: CK_ULONG.self) }
}
