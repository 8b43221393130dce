import Glibc

/// An application message that outlives the read buffer: in flight, queued or retained. One allocation of exactly the
/// size, counted by hand because it never leaves its shard; every holder calls `retain` and `release`.
///
/// It is stored in no version's form: topic, the properties that are passed on (encoded, in the publisher's order) and
/// payload. `PublishEncoder` makes a packet of it for any receiver.
struct Message: Equatable {
    struct Header {
        var references: UInt32
        var qos: UInt8
        var retain: Bool
        var topicLength: UInt16
        var propertiesLength: UInt32
        /// Encoded Subscription Identifiers, for a receiver with several overlapping subscriptions.
        var identifiersLength: UInt32
        var payloadLength: UInt32
        /// When it began to wait in a queue, in seconds since 1970; 0 = it never did.
        var storedAt: UInt32
        /// When it expires, in the shard's milliseconds; `.max` = never.
        var expiresAt: Int64
        /// Who published it (`ClientKey`), 0 = the server itself. For No Local.
        var publisher: UInt64
    }

    let header: UnsafeMutablePointer<Header>

    private init(_ header: UnsafeMutablePointer<Header>) { self.header = header }

    /// A message with one reference, copied from borrowed parts.
    static func make(_ parts: MessageParts, identifiers: UnsafeRawBufferPointer = .init(start: nil, count: 0))
        -> Message
    {
        let size =
            MemoryLayout<Header>.stride + parts.topic.count + parts.properties.count + identifiers.count
            + parts.payload.count
        let raw = malloc(size).unsafelyUnwrapped
        let header = raw.assumingMemoryBound(to: Header.self)
        header.initialize(
            to: Header(
                references: 1, qos: parts.qos, retain: parts.retain, topicLength: UInt16(parts.topic.count),
                propertiesLength: UInt32(parts.properties.count), identifiersLength: UInt32(identifiers.count),
                payloadLength: UInt32(parts.payload.count), storedAt: parts.storedAt, expiresAt: parts.expiresAt,
                publisher: parts.publisher))
        var to = raw + MemoryLayout<Header>.stride
        copy(parts.topic, &to)
        copy(parts.properties, &to)
        copy(identifiers, &to)
        copy(parts.payload, &to)
        return Message(header)
    }

    @inline(__always)
    private static func copy(_ part: UnsafeRawBufferPointer, _ to: inout UnsafeMutableRawPointer) {
        guard part.count > 0 else { return }
        to.copyMemory(from: part.baseAddress.unsafelyUnwrapped, byteCount: part.count)
        to += part.count
    }

    /// From the word that a tree or a ring keeps.
    init?(word: UInt) {
        guard let header = UnsafeMutablePointer<Header>(bitPattern: word) else { return nil }
        self.header = header
    }

    var word: UInt { UInt(bitPattern: header) }

    @inline(__always) func retain() { header.pointee.references &+= 1 }

    @inline(__always) func release() {
        header.pointee.references &-= 1
        if header.pointee.references == 0 { free(header) }
    }

    private var body: UnsafeRawPointer { UnsafeRawPointer(header + 1) }

    var topic: UnsafeRawBufferPointer { .init(start: body, count: Int(header.pointee.topicLength)) }
    var properties: UnsafeRawBufferPointer {
        .init(start: body + topic.count, count: Int(header.pointee.propertiesLength))
    }
    var identifiers: UnsafeRawBufferPointer {
        .init(start: body + topic.count + properties.count, count: Int(header.pointee.identifiersLength))
    }
    var payload: UnsafeRawBufferPointer {
        .init(
            start: body + topic.count + properties.count + identifiers.count, count: Int(header.pointee.payloadLength))
    }

    /// What it takes in memory, in bytes: header and content.
    var size: Int {
        MemoryLayout<Header>.stride + topic.count + properties.count + identifiers.count + payload.count
    }

    /// What it counts in a queue's limits, in bytes: its length in the log.
    var queuedSize: Int {
        LoggedMessage.headerLength + Int(header.pointee.topicLength) + Int(header.pointee.propertiesLength)
            + Int(header.pointee.payloadLength)
    }

    /// Its parts, borrowed.
    var parts: MessageParts {
        MessageParts(
            topic: topic, properties: properties, payload: payload, qos: header.pointee.qos,
            retain: header.pointee.retain, expiresAt: header.pointee.expiresAt, publisher: header.pointee.publisher,
            storedAt: header.pointee.storedAt)
    }

    func isExpired(at now: Int64) -> Bool { header.pointee.expiresAt <= now }
}

/// The parts of an application message, borrowed from the read buffer or from a `Message`.
struct MessageParts {
    /// `expiresAt` of a message that does not expire.
    static let never = Int64.max

    var topic: UnsafeRawBufferPointer
    /// Encoded properties that are passed on unchanged: payload format, content type, response topic, correlation data
    /// and user properties. [5.0 MQTT-3.3.2-17] and its neighbours
    var properties: UnsafeRawBufferPointer
    var payload: UnsafeRawBufferPointer
    var qos: UInt8
    var retain: Bool
    var expiresAt: Int64
    var publisher: UInt64
    /// When it began to wait in a queue, in seconds since 1970; 0 = not yet.
    var storedAt: UInt32 = 0

    /// Its length in the log.
    var queuedSize: Int { LoggedMessage.headerLength + topic.count + properties.count + payload.count }
}
