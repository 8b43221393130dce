import MQTTProtocol
import NIOCore
import Testing

@testable import MQTTClient

@Suite("Packets out of a stream of bytes")
struct PacketStreamTests {
    /// A PUBLISH of QoS 0 in 3.1.1 on topic `t`, byte by byte.
    private static func publish(_ payloadBytes: Int) -> [UInt8] {
        var length = payloadBytes + 3
        var bytes: [UInt8] = [0x30]
        repeat {
            bytes.append(UInt8(length % 128) | (length >= 128 ? 0x80 : 0))
            length /= 128
        } while length > 0
        return bytes + [0, 1, UInt8(ascii: "t")] + [UInt8](repeating: 0x2E, count: payloadBytes)
    }

    /// The payloads' lengths that come out of the stream, which gets `bytes` in pieces; and the most it held between two.
    private static func read(_ bytes: [UInt8], pieceBytes: Int) throws -> (payloads: [Int], heldMax: Int) {
        var stream = PacketStream(ClientConfiguration(version: .v311))
        var payloads: [Int] = []
        var heldMax = 0
        for start in stride(from: 0, to: bytes.count, by: pieceBytes) {
            var piece = ByteBuffer(bytes: bytes[start..<min(start + pieceBytes, bytes.count)])
            stream.receive(&piece)
            #expect(piece.readableBytes == 0)
            while let packet = try stream.next() { payloads.append(packet.message?.payload.count ?? -1) }
            stream.settle()
            heldMax = max(heldMax, stream.incoming.capacity)
        }
        return (payloads, heldMax)
    }

    @Test("however the bytes are cut, the same packets come out", arguments: [1, 2, 7, 1_000, 100_000])
    func pieces(_ pieceBytes: Int) throws {
        let sizes = [0, 1, 200, 20_000, 3, 0]
        #expect(try Self.read(sizes.flatMap(Self.publish), pieceBytes: pieceBytes).payloads == sizes)
    }

    @Test("a stream whose reads hardly ever end with a packet does not make it hold more and more")
    func hardlyWhole() throws {
        // 105 bytes a packet, 64 a read: the two meet once in 6,720 bytes.
        let packet = Self.publish(100)
        var bytes: [UInt8] = []
        for _ in 0..<10_000 { bytes += packet }
        let (payloads, heldMax) = try Self.read(bytes, pieceBytes: 64)
        #expect(payloads.count == 10_000)
        #expect(heldMax <= 1_024)
    }
}
