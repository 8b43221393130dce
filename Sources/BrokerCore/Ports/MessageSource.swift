import MQTTProtocol

/// Who published a message, as it stands behind it in the log, little-endian: the length of what follows (4), the listener's
/// name (4), the length of the client identifier (2), whether there is a user name (1), then identifier and user name.
enum MessageSource {
    /// Among a message's flags: one stands at its end.
    static let flag: UInt8 = 8

    private static let headerLength = 11

    static func encode(_ source: AccessSubject, into bytes: inout [UInt8]) {
        let user = source.userName?.bytes ?? []
        let client = source.clientIdentifier.bytes
        func append(_ value: some FixedWidthInteger) {
            withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
        }
        append(UInt32(headerLength - 4 + client.count + user.count))
        append(source.listener)
        append(UInt16(client.count))
        append(UInt8(source.userName == nil ? 0 : 1))
        bytes.append(contentsOf: client)
        bytes.append(contentsOf: user)
    }

    /// How long the one that begins here is, or nil where none does.
    static func length(_ bytes: UnsafeRawBufferPointer) -> Int? {
        guard bytes.count >= headerLength else { return nil }
        let length = 4 + Int(UInt32(littleEndian: bytes.loadUnaligned(as: UInt32.self)))
        return headerLength...bytes.count ~= length ? length : nil
    }

    /// Nil where the bytes are not one.
    static func decode(_ bytes: UnsafeRawBufferPointer) -> AccessSubject? {
        guard let length = length(bytes) else { return nil }
        let userStart =
            headerLength + Int(UInt16(littleEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt16.self)))
        guard userStart <= length, let client = MQTTString([UInt8](bytes[headerLength..<userStart])),
            let user = MQTTString([UInt8](bytes[userStart..<length]))
        else { return nil }
        return AccessSubject(
            clientIdentifier: client, userName: bytes[10] == 0 ? nil : user,
            listener: UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 4, as: UInt32.self)))
    }
}
