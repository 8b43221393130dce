public import MQTTProtocol

/// Bytes to packets and back, for a client's end of a connection: the step beside `ClientSession`, which knows no bytes.
/// It holds what has come of a packet that is not whole yet, and nothing else; make a new one for each connection.
///
/// A program that has its own transport feeds what it reads with `append` and takes packets with `next` until that gives
/// nil. `MQTTClient` reads in place instead, with `decode`.
public struct ClientCodec: Sendable {
    /// The largest packet the standard allows, in bytes.
    public static let packetBytesMax = 268_435_460

    /// The connection's version.
    public let version: ProtocolVersion
    /// The largest packet that is read, in bytes; a larger one is an error as soon as its length is known.
    public let maximumPacketSize: Int
    private var pending: [UInt8] = []
    private var consumed = 0
    /// Most messages have the topic of the one before.
    private var lastTopic = Topic(checked: "")

    public init(_ configuration: ClientConfiguration) {
        version = configuration.version
        maximumPacketSize = configuration.maximumPacketSize.map { Int($0) } ?? Self.packetBytesMax
    }

    // MARK: Reading

    /// Takes up bytes that came, in order.
    public mutating func append(_ bytes: some Collection<UInt8>) {
        if consumed > 0 {
            pending.removeFirst(consumed)
            consumed = 0
        }
        pending.append(contentsOf: bytes)
    }

    /// The next whole packet of what was appended; nil = more must come.
    /// - Throws: `PacketError`, after which the connection is to be closed: hand it to `ClientSession.receive(malformed:)`.
    public mutating func next() throws(PacketError) -> ControlPacket? {
        let start = consumed
        let bytes = pending
        let result: Result<(packet: ControlPacket, consumed: Int)?, PacketError> = bytes.withUnsafeBytes { all in
            do throws(PacketError) {
                return .success(try decode(UnsafeRawBufferPointer(rebasing: all[start...])))
            } catch {
                return .failure(error)
            }
        }
        guard let found = try result.get() else { return nil }
        consumed += found.consumed
        return found.packet
    }

    /// The packet at the start of borrowed bytes and how many of them it took; nil = it is not whole yet.
    public mutating func decode(
        _ bytes: UnsafeRawBufferPointer
    ) throws(PacketError) -> (packet: ControlPacket, consumed: Int)? {
        guard let header = try FrameHeader.parse(bytes, maximumPacketSize: maximumPacketSize) else { return nil }
        let type = header.packetType
        guard type != .auth || version == .v5 else { throw .notInVersion(.auth) }
        guard type.maySend(.server, version: version) else { throw .wrongDirection(type) }
        guard bytes.count >= header.totalLength else { return nil }
        let body = UnsafeRawBufferPointer(rebasing: bytes[header.headerLength..<header.totalLength])
        let packet = try decode(type, body, flags: header.flags)
        return (packet, header.totalLength)
    }

    private mutating func decode(
        _ type: PacketType, _ body: UnsafeRawBufferPointer, flags: UInt8
    ) throws(PacketError) -> ControlPacket {
        switch type {
        case .publish:
            return ControlPacket(.publish(try publish(body, flags: flags)))
        case .puback, .pubrec, .pubrel, .pubcomp:
            guard body.count > 3 else {
                let (identifier, reason) = try Acknowledgement.peek(body, type: type, flags: flags, version: version)
                return ControlPacket(.acknowledgement(type, identifier, reason))
            }
            return ControlPacket(try Packet.decode(type, body, flags: flags, version: version, from: .server))
        default:
            return ControlPacket(try Packet.decode(type, body, flags: flags, version: version, from: .server))
        }
    }

    private mutating func publish(
        _ body: UnsafeRawBufferPointer, flags: UInt8
    ) throws(PacketError) -> PublishPacket {
        let frame = try PublishFrame.parse(body, flags: flags, version: version)
        var properties = Publish.Properties()
        if !frame.properties.isEmpty {
            properties = try Publish.Properties.decode(frame.properties, in: .publishFromServer)
        }
        var topic = Topic(checked: "")
        if frame.topic.isEmpty {
            guard properties.topicAlias != nil else { throw .topicMissing }
        } else {
            topic = try self.topic(frame.topic)
        }
        var message = Message(
            topic, [UInt8](frame.payload), qos: frame.qos, retain: frame.retain)
        if !frame.properties.isEmpty { message.properties = Message.Properties(properties) }
        message.receipt = Message.Receipt(
            isDuplicate: frame.duplicate, packetIdentifier: frame.packetIdentifier,
            subscriptionIdentifiers: properties.subscriptionIdentifiers, delivery: 0)
        return PublishPacket(
            message, packetIdentifier: frame.packetIdentifier, duplicate: frame.duplicate,
            topicAlias: properties.topicAlias ?? 0, omitsTopic: frame.topic.isEmpty)
    }

    private mutating func topic(_ bytes: UnsafeRawBufferPointer) throws(PacketError) -> Topic {
        let known = lastTopic.name.bytes.withUnsafeBytes { $0.count == bytes.count && $0.elementsEqual(bytes) }
        if known { return lastTopic }
        let name = try MQTTString(validating: bytes)  // [5.0 MQTT-3.3.2-1] [3.1.1 MQTT-3.3.2-1]
        // [5.0 MQTT-3.3.2-2] [3.1.1 MQTT-3.3.2-2]
        guard TopicSyntax.isValidName(bytes) else { throw .topicWildcard }
        lastTopic = Topic(checked: name)
        return lastTopic
    }

    // MARK: Writing

    /// Appends a packet's bytes, as a `send` action wants them on the wire.
    public func encode(_ packet: ControlPacket, into bytes: inout [UInt8]) {
        var run = ByteRun()
        encode(packet, into: &run)
        bytes.append(contentsOf: run.bytes)
    }

    package func encode(_ packet: ControlPacket, into run: inout ByteRun) {
        switch packet.content {
        case .acknowledgement(let type, let identifier, let reason):
            Acknowledgement.append(
                type, packetIdentifier: identifier, reasonCode: reason, version: version, to: &run)
        case .publish(let publish):
            guard !publish.message.hasProperties || version != .v5 else {
                return publish.wire.encode(into: &run, version: version)
            }
            publish.encodePlain(into: &run, version: version)
        case .other(let packet):
            packet.encode(into: &run, version: version)
        }
    }
}

extension ControlPacket {
    /// Bytes of the whole packet, to be held against the server's Maximum Packet Size.
    package func encodedSize(version: ProtocolVersion) -> Int {
        switch content {
        case .acknowledgement(_, _, let reason): version == .v5 && reason != .success ? 5 : 4
        case .publish(let publish): publish.wire.encodedSize(version: version)
        case .other(let packet): packet.encodedSize(version: version)
        }
    }
}

extension PublishPacket {
    /// The packet with all its fields, as the standard's noun.
    package var wire: Publish {
        var properties = Publish.Properties(message.properties)
        properties.topicAlias = topicAlias == 0 ? nil : topicAlias
        return Publish(
            duplicate: duplicate, qos: message.qos, retain: message.retain,
            topic: omitsTopic ? "" : message.topic.name, packetIdentifier: packetIdentifier, properties: properties,
            payload: message.payload)
    }

    /// A message without properties, straight into the run.
    fileprivate func encodePlain(into run: inout ByteRun, version: ProtocolVersion) {
        var encoder = PublishEncoder(
            version: version, qos: message.qos.rawValue, retain: message.retain, packetIdentifier: packetIdentifier)
        encoder.duplicate = duplicate
        encoder.topicAlias = topicAlias
        encoder.omitsTopic = omitsTopic
        let nothing = UnsafeRawBufferPointer(start: nil, count: 0)
        message.topic.name.bytes.withUnsafeBytes { topic in
            message.payload.withUnsafeBytes { payload in
                let parts = PublishEncoder.Parts(
                    topic: topic, properties: nothing, identifiers: nothing, payload: payload)
                let layout = encoder.layout(parts)
                encoder.write(to: run.reserve(layout.totalLength), parts, layout)
                run.advance(by: layout.totalLength)
            }
        }
    }
}
