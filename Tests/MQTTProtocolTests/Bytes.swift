import MQTTProtocol

/// `"30 03 0001 61"` as bytes; text between single quotes stands for its UTF-8.
func bytes(_ text: String) -> [UInt8] {
    var result: [UInt8] = []
    for (index, part) in text.split(separator: "'", omittingEmptySubsequences: false).enumerated() {
        guard index % 2 == 0 else {
            result += Array(part.utf8)
            continue
        }
        let digits = part.filter { !$0.isWhitespace }
        precondition(digits.count % 2 == 0, "hex comes in pairs: \(text)")
        var rest = digits[...]
        while !rest.isEmpty {
            guard let byte = UInt8(rest.prefix(2), radix: 16) else { preconditionFailure("no hex: \(text)") }
            result.append(byte)
            rest = rest.dropFirst(2)
        }
    }
    return result
}

func hex(_ bytes: [UInt8]) -> String {
    bytes.map { byte in (byte < 16 ? "0" : "") + String(byte, radix: 16) }.joined()
}

/// A two-byte length before the bytes.
func prefixed(_ content: [UInt8]) -> [UInt8] {
    [UInt8(content.count >> 8), UInt8(content.count & 0xFF)] + content
}

extension Packet {
    /// What decoding gave: a packet and how long it was, a fault, or nil for "wait".
    enum Outcome: Equatable {
        case packet(Packet, consumed: Int)
        case fault(PacketError)
        case wait
    }

    static func outcome(
        _ bytes: [UInt8], _ version: ProtocolVersion, from sender: Sender, maximumPacketSize: Int = 1 << 28
    ) -> Outcome {
        bytes.withUnsafeBytes { raw in
            do throws(PacketError) {
                guard
                    let (packet, consumed) = try Packet.decode(
                        raw, version: version, from: sender, maximumPacketSize: maximumPacketSize)
                else { return .wait }
                return .packet(packet, consumed: consumed)
            } catch {
                return .fault(error)
            }
        }
    }

    func encoded(_ version: ProtocolVersion) -> [UInt8] {
        var run = ByteRun(capacity: 16)
        encode(into: &run, version: version)
        return Array(run.bytes)
    }

    /// The side that may send this packet; for those of both sides, the one that may send more.
    var sender: Sender {
        switch self {
        case .connect, .subscribe, .unsubscribe, .pingreq: .client
        case .connack, .suback, .unsuback, .pingresp, .publish: .server
        case .puback, .pubrec, .pubrel, .pubcomp: .client
        case .disconnect(let disconnect):
            disconnect.reasonCode.isAllowed(in: .disconnectFromClient) && disconnect.serverReference == nil
                ? .client : .server
        case .auth(let auth): auth.reasonCode.isAllowed(in: .authFromClient) ? .client : .server
        }
    }
}

/// What a throwing closure threw; nil when it did not.
func fault(_ body: () throws(PacketError) -> Void) -> PacketError? {
    do throws(PacketError) {
        try body()
        return nil
    } catch {
        return error
    }
}
