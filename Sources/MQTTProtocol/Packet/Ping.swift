/// PINGREQ, §3.12: a client is still there.
package struct Pingreq: Hashable, Sendable, WirePacket {
    package static var type: PacketType { .pingreq }

    package init() {}

    package static func decode(
        _ body: UnsafeRawBufferPointer, flags: UInt8, version: ProtocolVersion
    ) throws(PacketError) -> Pingreq {
        try PacketType.pingreq.check(flags: flags, version: version)
        guard body.isEmpty else { throw .trailingBytes }
        return Pingreq()
    }

    package func writeBody<Sink: FieldSink & ~Copyable>(to sink: inout Sink, version: ProtocolVersion) {}
}

/// PINGRESP, §3.13: so is the server.
package struct Pingresp: Hashable, Sendable, WirePacket {
    package static var type: PacketType { .pingresp }

    package init() {}

    package static func decode(
        _ body: UnsafeRawBufferPointer, flags: UInt8, version: ProtocolVersion
    ) throws(PacketError) -> Pingresp {
        try PacketType.pingresp.check(flags: flags, version: version)
        guard body.isEmpty else { throw .trailingBytes }
        return Pingresp()
    }

    package func writeBody<Sink: FieldSink & ~Copyable>(to sink: inout Sink, version: ProtocolVersion) {}
}
