import BrokerStore

/// Writes snapshots as mosquitto's releases do: version 4 as 1.5.6 did, 5 as 1.6, 6 as 2.0. The layouts are those of the
/// project's published sources (`src/persist.c` of 1.5, `src/persist_write_v5.c` of 1.6 and 2.0). Debian has only 2.0.11,
/// whose own files are read in `MosquittoFileTests`; for the older versions these bytes are the only witness we have.
struct SnapshotWriter {
    let version: UInt32
    /// Where a C compiler ends a part of fixed size: at a multiple of 8 on 64-bit machines, of 4 on most of 32 bits.
    var alignment = 8
    private(set) var bytes: [UInt8]

    init(version: UInt32, alignment: Int = 8) {
        self.version = version
        self.alignment = alignment
        bytes = MosquittoSnapshot.magic + [0, 0, 0, 0] + be(version)
    }

    mutating func configuration(lastMessage: UInt64, numberSize: UInt8 = 8) {
        chunk(
            1,
            version < 5
                ? [1, numberSize] + le(lastMessage) : pad(le(lastMessage) + [1, numberSize]))
    }

    /// `properties` are encoded and without the length before them.
    mutating func message(
        _ id: UInt64, _ topic: String, payload: [UInt8], qos: UInt8, retain: Bool = false, expiresAt: UInt64 = 0,
        source: String = "", username: String = "", properties: [UInt8] = []
    ) {
        let retain: UInt8 = retain ? 1 : 0
        if version < 5 {
            chunk(
                2,
                le(id) + text(source) + text(username) + be(UInt16(1883)) + be(UInt16(7)) + be(UInt16(0)) + text(topic)
                    + [qos, retain] + be(UInt32(payload.count)) + payload)
        } else {
            chunk(
                2,
                le(id) + le(expiresAt) + be(UInt32(payload.count)) + be(UInt16(7)) + be(UInt16(source.utf8.count))
                    + be(UInt16(username.utf8.count)) + be(UInt16(topic.utf8.count)) + be(UInt16(1883)) + [qos, retain]
                    + Array(source.utf8) + Array(username.utf8) + Array(topic.utf8) + payload + block(properties))
        }
    }

    mutating func client(_ id: String, expiryInterval: UInt32 = .max, expiresAt: UInt64 = 0, username: String = "") {
        if version < 5 {
            let time = Array(le(UInt64(1_600_000_000)).prefix(alignment))
            return chunk(6, text(id) + be(UInt16(3)) + time)
        }
        var fixed = le(expiresAt) + be(expiryInterval) + be(UInt16(3)) + be(UInt16(id.utf8.count))
        if version > 5 { fixed += be(UInt16(1883)) + be(UInt16(username.utf8.count)) }
        chunk(6, pad(fixed) + Array(id.utf8) + (version > 5 ? Array(username.utf8) : []))
    }

    mutating func claim(
        _ client: String, _ message: UInt64, identifier: UInt16, qos: UInt8, state: MosquittoSnapshot.State,
        isIncoming: Bool = false, retain: Bool = false, isDuplicate: Bool = false, subscriptionIdentifiers: [UInt8] = []
    ) {
        let direction: UInt8 = isIncoming ? 0 : 1
        if version < 5 {
            chunk(
                3,
                text(client) + le(message) + be(identifier)
                    + [qos, retain ? 1 : 0, direction, state.rawValue, isDuplicate ? 1 : 0])
        } else {
            chunk(
                3,
                le(message) + be(identifier) + be(UInt16(client.utf8.count))
                    + [qos, state.rawValue, (retain ? 0x10 : 0) | (isDuplicate ? 1 : 0), direction] + Array(client.utf8)
                    + block(subscriptionIdentifiers.flatMap { [0x0B, $0] }))
        }
    }

    mutating func subscription(
        _ client: String, _ filter: String, qos: UInt8, options: UInt8 = 0, identifier: UInt32 = 0
    ) {
        if version < 5 { return chunk(5, text(client) + text(filter) + [qos]) }
        // Nothing in it is longer than four bytes, and so the part ends at a multiple of four everywhere.
        let fixed =
            be(identifier) + be(UInt16(client.utf8.count)) + be(UInt16(filter.utf8.count)) + [qos, options, 0, 0]
        chunk(5, fixed + Array(client.utf8) + Array(filter.utf8))
    }

    mutating func retained(_ message: UInt64) { chunk(4, le(message)) }

    mutating func chunk(_ kind: UInt16, _ body: [UInt8]) {
        bytes += version < 5 ? be(kind) : be(UInt32(kind))
        bytes += be(UInt32(body.count)) + body
    }

    private func pad(_ bytes: [UInt8]) -> [UInt8] {
        bytes + [UInt8](repeating: 0, count: (alignment - bytes.count % alignment) % alignment)
    }

    private func block(_ properties: [UInt8]) -> [UInt8] {
        precondition(properties.count < 128, "a length of one byte")
        return properties.isEmpty ? [] : [UInt8(properties.count)] + properties
    }

    private func text(_ text: String) -> [UInt8] { be(UInt16(text.utf8.count)) + Array(text.utf8) }
}

private func be(_ value: some FixedWidthInteger) -> [UInt8] { withUnsafeBytes(of: value.bigEndian) { [UInt8]($0) } }
private func le(_ value: some FixedWidthInteger) -> [UInt8] { withUnsafeBytes(of: value.littleEndian) { [UInt8]($0) } }
