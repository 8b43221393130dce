package import MQTTProtocol
package import NIOCore

/// One connection's bytes: packets cut out of what came, and packets gathered for one write. Whoever has a channel and a
/// `ClientSession` puts this between the two; it touches neither. Make a new one for each connection.
package struct PacketStream: ~Copyable {
    /// From so many bytes on, what was gathered is better written at once.
    private static var writeBytes: Int { 64 * 1024 }

    private var codec: ClientCodec
    /// While packets are read: what came, where it lies. Between: a copy of the part of a packet that has not come whole.
    private(set) var incoming = ByteBuffer()
    /// `incoming` is the read buffer itself.
    private var isLent = false
    private var outgoing = ByteRun(capacity: 4_096)

    package init(_ configuration: ClientConfiguration) { codec = ClientCodec(configuration) }

    package var version: ProtocolVersion { codec.version }

    // MARK: Reading

    /// Takes up bytes that came, in order. Then call `next` until it gives nil or reading is over, and `settle`.
    package mutating func receive(_ bytes: inout ByteBuffer) {
        if incoming.readableBytes == 0 {
            incoming = bytes
            isLent = true
            bytes.moveReaderIndex(to: bytes.writerIndex)
        } else {
            incoming.writeBuffer(&bytes)
        }
    }

    /// The next whole packet, nil = more must come.
    /// - Throws: after which the connection is to be closed.
    package mutating func next() throws(PacketError) -> ControlPacket? {
        guard incoming.readableBytes > 0 else { return nil }
        var fault: PacketError?
        let found = incoming.withUnsafeReadableBytes { bytes -> (packet: ControlPacket, consumed: Int)? in
            do throws(PacketError) {
                return try codec.decode(bytes)
            } catch {
                fault = error
                return nil
            }
        }
        if let fault { throw fault }
        guard let found else { return nil }
        incoming.moveReaderIndex(forwardBy: found.consumed)
        return found.packet
    }

    /// Gives the read buffer back; of a packet that has not come whole it keeps a copy. That copy grows in place: a large packet
    /// that comes in many reads is not copied at each of them.
    package mutating func settle() {
        defer { isLent = false }
        if incoming.readableBytes == 0 {
            incoming = ByteBuffer()
        } else if isLent {
            incoming = ByteBuffer(bytes: incoming.readableBytesView)
        } else {
            incoming.discardReadBytes()
        }
    }

    // MARK: Writing

    /// Gathers a packet; true where so much is there that it should be taken now.
    package mutating func append(_ packet: ControlPacket) -> Bool {
        codec.encode(packet, into: &outgoing)
        return outgoing.count >= Self.writeBytes
    }

    /// What was gathered, to be written; nil where nothing was.
    package mutating func take() -> ByteBuffer? {
        guard !outgoing.isEmpty else { return nil }
        // Emptied first: writing may tell at once that the channel is full, and that may end here again.
        let bytes = ByteBuffer(bytes: outgoing.bytes)
        outgoing.removeAll()
        return bytes
    }
}
