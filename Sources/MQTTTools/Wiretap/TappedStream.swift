import MQTTProtocol

/// What can be read of one connection's bytes, as lines: MQTT packet by packet, TLS record by record with hex for what is in
/// them, HTTP as text, anything else as hex. A value: bytes in, lines out.
package struct TappedStream: Sendable {
    package enum Direction: Sendable, Hashable {
        case fromClient, fromServer
    }

    private enum Language {
        case mqtt, tls, http, unknown
    }

    /// Bytes of a packet or record that are kept until it is whole; larger ones are shown as hex.
    private static let wholeBytesMax = 1_048_576

    private var language: Language?
    private var version = ProtocolVersion.v311
    private var waiting: [Direction: [UInt8]] = [:]
    /// Directions that could not be read any more: hex from there on.
    private var lost: Set<Direction> = []
    /// Bytes of a record of TLS that are shown.
    private let hexBytesMax: Int

    package init(hexBytesMax: Int = 128) { self.hexBytesMax = hexBytesMax }

    /// Takes bytes up, in order; the lines they make.
    package mutating func read(_ bytes: [UInt8], _ direction: Direction) -> [String] {
        if language == nil, direction == .fromClient, let first = bytes.first {
            language = Self.language(of: first)
        }
        guard let language, !lost.contains(direction) else { return hex(bytes) }
        switch language {
        case .mqtt: return packets(bytes, direction)
        case .tls: return records(bytes, direction)
        case .http:
            // One head each way in the clear; what follows is masked frames.
            lost.insert(direction)
            return ["HTTP, \(bytes.count) bytes:"] + Self.head(bytes) + hex(Self.body(bytes))
        case .unknown: return hex(bytes)
        }
    }

    private static func language(of first: UInt8) -> Language {
        switch first {
        case 0x10: .mqtt
        case 0x16: .tls
        case UInt8(ascii: "G"): .http
        default: .unknown
        }
    }

    // MARK: MQTT

    private mutating func packets(_ bytes: [UInt8], _ direction: Direction) -> [String] {
        var all = waiting[direction, default: []] + bytes
        var lines: [String] = []
        while !all.isEmpty {
            let read = all.withUnsafeBytes { all in
                Result { () throws(PacketError) in
                    try Packet.decode(
                        all, version: version, from: direction == .fromClient ? .client : .server,
                        maximumPacketSize: Self.wholeBytesMax)
                }
            }
            switch read {
            case .success(let found?):
                if case .connect(let connect) = found.packet { version = connect.version }
                lines.append(PacketText.line(found.packet))
                all.removeFirst(found.consumed)
            case .success(nil):
                waiting[direction] = all
                return lines
            case .failure(let error):
                lost.insert(direction)
                waiting[direction] = nil
                return lines + ["not readable from here on: \(error)"] + hex(all)
            }
        }
        waiting[direction] = nil
        return lines
    }

    // MARK: TLS

    private mutating func records(_ bytes: [UInt8], _ direction: Direction) -> [String] {
        var all = (waiting[direction, default: []] + bytes)[...]
        var lines: [String] = []
        while all.count >= 5 {
            let start = all.startIndex
            let length = Int(all[start + 3]) << 8 | Int(all[start + 4])
            guard let kind = Self.recordKind(all[start]) else {
                lost.insert(direction)
                waiting[direction] = nil
                return lines + hex(Array(all))
            }
            guard all.count >= 5 + length else { break }
            let content = all[(start + 5)..<(start + 5 + length)]
            lines.append("TLS \(kind), \(length) bytes\(Self.handshake(all[start], content))")
            lines += hex(Array(content))
            all = all.dropFirst(5 + length)
        }
        waiting[direction] = Array(all)
        return lines
    }

    /// RFC 8446 §5.1
    private static func recordKind(_ type: UInt8) -> String? {
        switch type {
        case 20: "change cipher spec"
        case 21: "alert"
        case 22: "handshake"
        case 23: "application data, encrypted"
        default: nil
        }
    }

    /// The first message of a handshake record, where it is in the clear.
    private static func handshake(_ type: UInt8, _ content: ArraySlice<UInt8>) -> String {
        guard type == 22, let first = content.first else { return "" }
        switch first {
        case 1: return " (ClientHello)"
        case 2: return " (ServerHello)"
        case 11: return " (Certificate)"
        default: return ""
        }
    }

    // MARK: Other things

    private static func end(ofHead bytes: [UInt8]) -> Int {
        let empty = Array("\r\n\r\n".utf8)
        let at = bytes.indices.first { bytes[$0...].starts(with: empty) }
        return at.map { $0 + empty.count } ?? bytes.count
    }

    private static func head(_ bytes: [UInt8]) -> [String] {
        let text = String(decoding: bytes[..<end(ofHead: bytes)], as: UTF8.self)
        return text.split(whereSeparator: \.isNewline).map { "    \(MQTTString(Array($0.utf8))?.description ?? "?")" }
    }

    private static func body(_ bytes: [UInt8]) -> [UInt8] { Array(bytes[end(ofHead: bytes)...]) }

    private func hex(_ bytes: [UInt8]) -> [String] {
        var lines = Hex.dump(bytes.prefix(hexBytesMax)).map { "    \($0)" }
        if bytes.count > hexBytesMax { lines.append("    … \(bytes.count - hexBytesMax) bytes more") }
        return lines
    }
}
