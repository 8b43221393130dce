import MQTTProtocol

/// Reads the fields of one chunk from borrowed bytes and never goes beyond their end. Counts are big-endian; message
/// numbers and times stand as mosquitto's machine had them in memory, which is little-endian on all that it runs on
/// today.
struct SnapshotFields {
    typealias Failure = MosquittoSnapshotError

    private let bytes: UnsafeRawBufferPointer
    private let kind: UInt32
    /// Where the chunk's body begins in the file.
    private let start: Int
    private(set) var at = 0

    init(_ bytes: UnsafeRawBufferPointer, kind: UInt32, start: Int) {
        self.bytes = bytes
        self.kind = kind
        self.start = start
    }

    var remaining: Int { bytes.count - at }
    var length: Int { bytes.count }

    func failure(_ reason: Failure.Reason) -> Failure { Failure(reason, at: start + at) }

    mutating func take(_ count: Int) throws(Failure) -> UnsafeRawBufferPointer {
        guard count >= 0, count <= remaining else {
            throw Failure(.chunkLength(kind: kind, length: length), at: start + at)
        }
        defer { at += count }
        return UnsafeRawBufferPointer(rebasing: bytes[at..<at + count])
    }

    mutating func skip(_ count: Int) throws(Failure) { _ = try take(count) }
    mutating func copy(_ count: Int) throws(Failure) -> [UInt8] { [UInt8](try take(count)) }
    mutating func byte() throws(Failure) -> UInt8 { try take(1)[0] }

    mutating func uint16() throws(Failure) -> UInt16 {
        UInt16(bigEndian: try take(2).loadUnaligned(as: UInt16.self))
    }

    mutating func uint32() throws(Failure) -> UInt32 {
        UInt32(bigEndian: try take(4).loadUnaligned(as: UInt32.self))
    }

    mutating func number() throws(Failure) -> UInt64 {
        UInt64(littleEndian: try take(8).loadUnaligned(as: UInt64.self))
    }

    /// Seconds since 1970; nil where none was set.
    mutating func moment() throws(Failure) -> Int64? {
        let seconds = Int64(bitPattern: try number())
        return seconds > 0 ? seconds : nil
    }

    /// A string behind its length: versions up to 4.
    mutating func prefixed() throws(Failure) -> [UInt8] { try copy(Int(try uint16())) }

    mutating func qos() throws(Failure) -> UInt8 {
        let qos = try byte()
        guard qos <= 2 else { throw failure(.qos(qos)) }
        return qos
    }

    func finish() throws(Failure) {
        guard remaining == 0 else { throw Failure(.chunkLength(kind: kind, length: length), at: start + at) }
    }

    /// The property block that ends a chunk since version 5, if there is one.
    mutating func properties() throws(Failure) -> SnapshotProperties {
        guard remaining > 0 else { return SnapshotProperties() }
        let place = failure(.properties)
        let all = try take(remaining)
        do {
            var fields = FieldReader(all, of: .publish)
            let block = try fields.propertyBlock()
            try fields.finish()
            return try SnapshotProperties(block)
        } catch {
            throw place
        }
    }
}

/// The properties of a stored message or of a session's claim on it, sorted by what becomes of them.
struct SnapshotProperties {
    /// Encoded, as they are passed on.
    var forwarded: [UInt8] = []
    var subscriptionIdentifiers: [UInt32] = []

    init() {}

    init(_ block: UnsafeRawBufferPointer) throws(PacketError) {
        var reader = PropertyReader(block, in: .publishFromServer)
        while let next = try reader.next() {
            switch next.property {
            case .subscriptionIdentifier: subscriptionIdentifiers.append(next.number)
            // The alias was the publisher's connection's; the expiry stands as a time of its own.
            case .topicAlias, .messageExpiryInterval: break
            default: forwarded.append(contentsOf: block[next.range])
            }
        }
    }
}
