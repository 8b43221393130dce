import MQTTProtocol

/// One message on its way to its receivers: borrowed parts, and what has been made of them so far.
struct Dispatch {
    var parts: MessageParts
    /// The packet as it came, where receivers of one shape can have it as it is; else empty.
    var frame = UnsafeRawBufferPointer(start: nil, count: 0)
    /// The shape that `frame` has, or none.
    var frameShape = -1
    /// The publisher's session and connection, or none.
    var session = SlotTable<Session>.none
    var connection = SlotTable<Connection>.none
    /// The publisher's connection where it came from a neighbour.
    var remote: Origin?
    /// The owned copy, made when first needed. `finish` releases it.
    var message: Message?
    /// Which templates have been made: one bit a shape.
    var made: UInt8 = 0
    /// Seconds left when it expires, for live deliveries in 5.0.
    var expirySeconds: UInt32?
    /// Subscribers it was meant for, whether or not it reached them.
    var receivers = 0
    /// Its place in the batch being gathered for storage, or none.
    var logged = -1
    /// Something of it must be kept before the publisher may be told.
    var waitsForStorage = false
    /// Neighbours have it when this is answered; the publisher waits for that too.
    var confirmation: StorageToken?
    /// How its publisher's session knows it, at QoS 2, where several shards keep it.
    var exchange: Exchange?
    /// It came from a neighbour: not to go to another.
    var isFromNeighbour = false

    init(parts: MessageParts) { self.parts = parts }

    /// The owned copy.
    mutating func owned() -> Message {
        if let message { return message }
        let made = Message.make(parts)
        message = made
        return made
    }

    mutating func finish() {
        message?.release()
        message = nil
    }
}

/// A packet that receivers of one shape get: copied, with the first byte and the packet identifier patched.
struct Template {
    /// 3.x or 5.0, with or without a packet identifier.
    static let shapes = 4

    var base: UnsafeRawPointer
    var count: Int
    /// Where the packet identifier stands.
    var identifierOffset: Int

    @inline(__always)
    static func shape(_ version: ProtocolVersion, qos: UInt8) -> Int {
        (version == .v5 ? 2 : 0) &+ (qos > 0 ? 1 : 0)
    }
}

extension Shard {
    /// The packet for a shape, encoded once however many receivers have it.
    @inline(__always)
    mutating func template(_ shape: Int, _ dispatch: inout Dispatch) -> Template {
        if dispatch.frameShape == shape {
            // As it came: the identifier stands behind the topic.
            let base = dispatch.frame.baseAddress.unsafelyUnwrapped
            let behindTopic = dispatch.parts.topic.baseAddress.unsafelyUnwrapped + dispatch.parts.topic.count
            return Template(base: base, count: dispatch.frame.count, identifierOffset: behindTopic - base)
        }
        if dispatch.made & (1 << UInt8(truncatingIfNeeded: shape)) != 0 { return templates[shape] }
        return makeTemplate(shape, &dispatch)
    }

    @inline(never)
    private mutating func makeTemplate(_ shape: Int, _ dispatch: inout Dispatch) -> Template {
        let parts = PublishEncoder.Parts(dispatch.parts)
        var encoder = PublishEncoder(version: shape >= 2 ? .v5 : .v311, qos: shape & 1 == 1 ? 1 : 0, retain: false)
        encoder.messageExpiryIntervalSeconds = dispatch.expirySeconds
        let layout = encoder.layout(parts)
        // A block for each shape: a pointer handed out stays good for this message.
        let room = templateStorage.room(for: shape, layout.totalLength)
        encoder.write(to: room, parts, layout)
        let template = Template(
            base: UnsafeRawPointer(room), count: layout.totalLength, identifierOffset: layout.identifierOffset)
        templates[shape] = template
        dispatch.made |= 1 << UInt8(shape)
        return template
    }
}

/// Memory for encoded templates, one block a shape, kept for the next message.
struct TemplateStorage: ~Copyable {
    private let blocks: UnsafeMutablePointer<UnsafeMutableRawPointer>
    private let capacities: UnsafeMutablePointer<Int>
    /// A block larger than this is not kept.
    private static let blockBytesKept = 65_536
    private static let blockBytesMin = 512

    init() {
        blocks = .allocate(capacity: Template.shapes)
        capacities = .allocate(capacity: Template.shapes)
        for shape in 0..<Template.shapes {
            (blocks + shape).initialize(to: .allocate(byteCount: TemplateStorage.blockBytesMin, alignment: 16))
            (capacities + shape).initialize(to: TemplateStorage.blockBytesMin)
        }
    }

    deinit {
        for shape in 0..<Template.shapes { blocks[shape].deallocate() }
        blocks.deallocate()
        capacities.deallocate()
    }

    func room(for shape: Int, _ count: Int) -> UnsafeMutableRawPointer {
        let fits = capacities[shape] >= count
        let tooLarge = capacities[shape] > TemplateStorage.blockBytesKept && count <= TemplateStorage.blockBytesKept
        if !fits || tooLarge {
            blocks[shape].deallocate()
            capacities[shape] = max(count, TemplateStorage.blockBytesMin)
            blocks[shape] = .allocate(byteCount: capacities[shape], alignment: 16)
        }
        return blocks[shape]
    }
}

extension PublishEncoder.Parts {
    init(_ parts: MessageParts, identifiers: UnsafeRawBufferPointer = UnsafeRawBufferPointer(start: nil, count: 0)) {
        self.init(topic: parts.topic, properties: parts.properties, identifiers: identifiers, payload: parts.payload)
    }
}
