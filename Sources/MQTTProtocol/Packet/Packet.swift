/// Any of the fifteen packets, for the client, tests and fuzzing. The broker reads the frame's type and calls the one
/// decoder it needs.
package enum Packet: Hashable, Sendable {
    case connect(Connect)
    case connack(Connack)
    case publish(Publish)
    case puback(Puback)
    case pubrec(Pubrec)
    case pubrel(Pubrel)
    case pubcomp(Pubcomp)
    case subscribe(Subscribe)
    case suback(Suback)
    case unsubscribe(Unsubscribe)
    case unsuback(Unsuback)
    case pingreq(Pingreq)
    case pingresp(Pingresp)
    case disconnect(Disconnect)
    case auth(Auth)

    /// Reads the packet at the start of `bytes`; nil when it has not come whole yet.
    /// - Parameters:
    ///   - version: the connection's; a CONNECT says its own.
    ///   - sender: refuses what this side may not send, Table 2-1.
    ///   - maximumPacketSize: the largest whole packet to accept, in bytes.
    package static func decode(
        _ bytes: UnsafeRawBufferPointer, version: ProtocolVersion, from sender: Sender, maximumPacketSize: Int
    ) throws(PacketError) -> (packet: Packet, consumed: Int)? {
        guard let header = try FrameHeader.parse(bytes, maximumPacketSize: maximumPacketSize) else { return nil }
        let type = header.packetType
        guard type != .auth || version == .v5 else { throw .notInVersion(.auth) }
        guard type.maySend(sender, version: version) else { throw .wrongDirection(type) }
        guard bytes.count >= header.totalLength else { return nil }
        let body = UnsafeRawBufferPointer(rebasing: bytes[header.headerLength..<header.totalLength])
        let packet = try decode(type, body, flags: header.flags, version: version, from: sender)
        return (packet, header.totalLength)
    }

    /// Reads the body of a packet whose header is known.
    package static func decode(
        _ type: PacketType, _ body: UnsafeRawBufferPointer, flags: UInt8, version: ProtocolVersion,
        from sender: Sender
    ) throws(PacketError) -> Packet {
        switch type {
        case .connect: .connect(try Connect.decode(body, flags: flags))
        case .connack: .connack(try Connack.decode(body, flags: flags, version: version))
        case .publish: .publish(try Publish.decode(body, flags: flags, version: version, from: sender))
        case .puback: .puback(try Puback.decode(body, flags: flags, version: version))
        case .pubrec: .pubrec(try Pubrec.decode(body, flags: flags, version: version))
        case .pubrel: .pubrel(try Pubrel.decode(body, flags: flags, version: version))
        case .pubcomp: .pubcomp(try Pubcomp.decode(body, flags: flags, version: version))
        case .subscribe: .subscribe(try Subscribe.decode(body, flags: flags, version: version))
        case .suback: .suback(try Suback.decode(body, flags: flags, version: version))
        case .unsubscribe: .unsubscribe(try Unsubscribe.decode(body, flags: flags, version: version))
        case .unsuback: .unsuback(try Unsuback.decode(body, flags: flags, version: version))
        case .pingreq: .pingreq(try Pingreq.decode(body, flags: flags, version: version))
        case .pingresp: .pingresp(try Pingresp.decode(body, flags: flags, version: version))
        case .disconnect: .disconnect(try Disconnect.decode(body, flags: flags, version: version, from: sender))
        case .auth: .auth(try Auth.decode(body, flags: flags, version: version, from: sender))
        }
    }

    /// The packet inside, as something that can be written.
    private var content: any WirePacket {
        switch self {
        case .connect(let packet): packet
        case .connack(let packet): packet
        case .publish(let packet): packet
        case .puback(let packet): packet
        case .pubrec(let packet): packet
        case .pubrel(let packet): packet
        case .pubcomp(let packet): packet
        case .subscribe(let packet): packet
        case .suback(let packet): packet
        case .unsubscribe(let packet): packet
        case .unsuback(let packet): packet
        case .pingreq(let packet): packet
        case .pingresp(let packet): packet
        case .disconnect(let packet): packet
        case .auth(let packet): packet
        }
    }

    package var type: PacketType { Swift.type(of: content).type }

    package func encode(into run: inout ByteRun, version: ProtocolVersion) {
        content.encode(into: &run, version: version)
    }

    package func encodedSize(version: ProtocolVersion) -> Int { content.encodedSize(version: version) }
}
