import BrokerCore
import Foundation

/// How the shares of a queue's QoS 2 messages stand in its row: ten bytes each, identifier and part, little-endian.
enum ShareForm {
    private static let length = 10

    /// NULL where there are none.
    static func encode(_ shares: [KeptShare]) -> Data? {
        guard !shares.isEmpty else { return nil }
        var bytes = Data(capacity: shares.count * length)
        for share in shares {
            withUnsafeBytes(of: share.identifier.littleEndian) { bytes.append(contentsOf: $0) }
            withUnsafeBytes(of: share.part.littleEndian) { bytes.append(contentsOf: $0) }
        }
        return bytes
    }

    /// Nil where the row is damaged.
    static func decode(_ data: Data?) -> [KeptShare]? {
        guard let data else { return [] }
        guard data.count % length == 0 else { return nil }
        return data.withUnsafeBytes { bytes in
            stride(from: 0, to: bytes.count, by: length).map { at in
                KeptShare(
                    identifier: UInt16(littleEndian: bytes.loadUnaligned(fromByteOffset: at, as: UInt16.self)),
                    part: UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: at + 2, as: UInt64.self)))
            }
        }
    }
}

extension Queue {
    /// Its shares, in an order that is always the same.
    var keptShares: [KeptShare] {
        shares.flatMap { identifier, parts in parts.map { KeptShare(identifier: identifier, part: $0) } }
            .sorted { ($0.identifier, $0.part) < ($1.identifier, $1.part) }
    }
}
