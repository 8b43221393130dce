/// One message as the log keeps it: once, however many sessions wait for it. The bytes are what an engine writes, and
/// what it gives back.
///
/// The form, little-endian: flags (QoS in bits 0–1, RETAIN in bit 2, bit 3 = who published it stands at the end), topic length
/// (2 bytes), length of the properties (4), length of the payload (4), expiry in milliseconds since 1970 (8; the largest =
/// never), publisher's key (8), when it was put into the log, in seconds since 1970 (4; 0 = not said); then topic, the encoded
/// properties that are passed on, and payload; then, where bit 3 says so, who published it: `MessageSource`.
package struct LoggedMessage: Equatable, Sendable {
    /// Bytes before the topic.
    package static let headerLength = 31

    package let bytes: [UInt8]

    /// Takes bytes that `LogBatch` made.
    package init(bytes: [UInt8]) { self.bytes = bytes }

    package init(
        topic: [UInt8], properties: [UInt8] = [], payload: [UInt8], qos: UInt8, retain: Bool, expiresAt: Int64 = .max,
        publisher: UInt64 = 0, storedAt: UInt32 = 0, source: AccessSubject? = nil
    ) {
        var encoded: [UInt8] = []
        topic.withUnsafeBytes { topic in
            properties.withUnsafeBytes { properties in
                payload.withUnsafeBytes { payload in
                    LoggedMessage.encode(
                        MessageParts(
                            topic: topic, properties: properties, payload: payload, qos: qos, retain: retain,
                            expiresAt: expiresAt, publisher: publisher, storedAt: storedAt),
                        by: source, into: &encoded)
                }
            }
        }
        bytes = encoded
    }

    package var topic: [UInt8] { withParts { [UInt8]($0.topic) } ?? [] }
    package var properties: [UInt8] { withParts { [UInt8]($0.properties) } ?? [] }
    package var payload: [UInt8] { withParts { [UInt8]($0.payload) } ?? [] }
    package var qos: UInt8 { withParts { $0.qos } ?? 0 }
    package var retain: Bool { withParts { $0.retain } ?? false }
    package var expiresAt: Int64 { withParts { $0.expiresAt } ?? 0 }
    package var publisher: UInt64 { withParts { $0.publisher } ?? 0 }
    package var storedAt: UInt32 { withParts { $0.storedAt } ?? 0 }
    /// Who published it; retained messages have it, and nil where it is the server, or nobody knows.
    package var source: AccessSubject? {
        bytes.withUnsafeBytes { bytes in
            guard let end = LoggedMessage.partsLength(bytes), LoggedMessage.hasSource(bytes), end < bytes.count else {
                return nil
            }
            return MessageSource.decode(UnsafeRawBufferPointer(rebasing: bytes[end...]))
        }
    }

    /// What it counts in a queue's limits, in bytes: who published it is left out.
    var queuedSize: Int { bytes.withUnsafeBytes { LoggedMessage.partsLength($0) } ?? bytes.count }

    /// How long the message that begins here is, or nil where none does: for whoever walks a row of messages.
    package static func length(_ bytes: UnsafeRawBufferPointer) -> Int? {
        guard let end = partsLength(bytes) else { return nil }
        guard hasSource(bytes) else { return end }
        return MessageSource.length(UnsafeRawBufferPointer(rebasing: bytes[end...])).map { end + $0 }
    }

    private static func hasSource(_ bytes: UnsafeRawBufferPointer) -> Bool { bytes[0] & MessageSource.flag != 0 }

    /// Its length up to the payload's end.
    private static func partsLength(_ bytes: UnsafeRawBufferPointer) -> Int? {
        guard bytes.count >= headerLength else { return nil }
        let topic = Int(UInt16(littleEndian: bytes.loadUnaligned(fromByteOffset: 1, as: UInt16.self)))
        let properties = Int(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 3, as: UInt32.self)))
        let payload = Int(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 7, as: UInt32.self)))
        let length = headerLength + topic + properties + payload
        return length <= bytes.count ? length : nil
    }

    /// The parts, borrowed; nil where the bytes are not a message.
    func withParts<R>(_ body: (MessageParts) -> R) -> R? {
        bytes.withUnsafeBytes { bytes in
            guard let parts = LoggedMessage.parts(bytes) else { return nil }
            return body(parts)
        }
    }

    private static func parts(_ bytes: UnsafeRawBufferPointer) -> MessageParts? {
        guard let length = length(bytes), length == bytes.count, let payloadEnd = partsLength(bytes) else { return nil }
        let topic = Int(UInt16(littleEndian: bytes.loadUnaligned(fromByteOffset: 1, as: UInt16.self)))
        let properties = Int(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 3, as: UInt32.self)))
        let topicEnd = headerLength + topic
        return MessageParts(
            topic: UnsafeRawBufferPointer(rebasing: bytes[headerLength..<topicEnd]),
            properties: UnsafeRawBufferPointer(rebasing: bytes[topicEnd..<topicEnd + properties]),
            payload: UnsafeRawBufferPointer(rebasing: bytes[(topicEnd + properties)..<payloadEnd]), qos: bytes[0] & 3,
            retain: bytes[0] & 4 != 0,
            expiresAt: Int64(littleEndian: bytes.loadUnaligned(fromByteOffset: 11, as: Int64.self)),
            publisher: UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: 19, as: UInt64.self)),
            storedAt: UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 27, as: UInt32.self)))
    }

    /// Appends the message's form.
    static func encode(_ parts: MessageParts, by source: AccessSubject? = nil, into bytes: inout [UInt8]) {
        let count = headerLength + parts.topic.count + parts.properties.count + parts.payload.count
        bytes.reserve(more: count)
        // Put together first: one append instead of seven.
        withUnsafeTemporaryAllocation(byteCount: headerLength, alignment: 8) { header in
            header[0] = parts.qos | (parts.retain ? 4 : 0) | (source == nil ? 0 : MessageSource.flag)
            header.storeBytes(of: UInt16(parts.topic.count).littleEndian, toByteOffset: 1, as: UInt16.self)
            header.storeBytes(of: UInt32(parts.properties.count).littleEndian, toByteOffset: 3, as: UInt32.self)
            header.storeBytes(of: UInt32(parts.payload.count).littleEndian, toByteOffset: 7, as: UInt32.self)
            header.storeBytes(of: parts.expiresAt.littleEndian, toByteOffset: 11, as: Int64.self)
            header.storeBytes(of: parts.publisher.littleEndian, toByteOffset: 19, as: UInt64.self)
            header.storeBytes(of: parts.storedAt.littleEndian, toByteOffset: 27, as: UInt32.self)
            bytes.append(contentsOf: header)
        }
        bytes.append(contentsOf: parts.topic)
        bytes.append(contentsOf: parts.properties)
        bytes.append(contentsOf: parts.payload)
        if let source { MessageSource.encode(source, into: &bytes) }
    }
}

extension [UInt8] {
    /// Room for more, without giving up growth by doubling.
    fileprivate mutating func reserve(more count: Int) {
        if self.count + count > capacity { reserveCapacity(Swift.max(self.count + count, capacity * 2)) }
    }
}
