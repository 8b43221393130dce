import MQTTProtocol

/// What decoding gave: a packet and how long it was, a fault, or "wait".
enum Outcome: Equatable {
    case packet(Packet, consumed: Int)
    case fault(PacketError)
    case wait

    init(
        _ bytes: UnsafeRawBufferPointer, _ version: ProtocolVersion, from sender: Sender,
        maximumPacketSize: Int = 1 << 28
    ) {
        do throws(PacketError) {
            guard
                let (packet, consumed) = try Packet.decode(
                    bytes, version: version, from: sender, maximumPacketSize: maximumPacketSize)
            else {
                self = .wait
                return
            }
            self = .packet(packet, consumed: consumed)
        } catch {
            self = .fault(error)
        }
    }

    init(_ bytes: [UInt8], _ version: ProtocolVersion, from sender: Sender) {
        self = bytes.withUnsafeBytes { Outcome($0, version, from: sender) }
    }
}

extension Packet {
    func encoded(_ version: ProtocolVersion) -> [UInt8] {
        var run = ByteRun(capacity: 16)
        encode(into: &run, version: version)
        return Array(run.bytes)
    }
}
