import MQTTProtocol

/// Target `roundtrip`: what was read is written and read again and is the same, and so is every packet that the bytes
/// can be taken to choose. The first byte says which of the two, and the version.
@_cdecl("martlet_fuzz_roundtrip")
package func fuzzRoundTrip(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    var bytes = FuzzBytes(data, size)
    let first = bytes.byte()
    let version = ProtocolVersion.allCases[Int(first >> 1) % 3]
    if first & 1 == 0 {
        let packet = bytes.takeAll()
        for sender in Sender.allCases {
            if case .packet(let packet, _) = Outcome(packet, version, from: sender) { check(packet, version, sender) }
        }
    } else {
        var packets = RandomPacket(seed: 0, version: version)
        packets.random = SeededGenerator(bytes)
        let packet = packets.next()
        let written = packet.encoded(version)
        let whole = Outcome.packet(packet, consumed: written.count)
        require(Sender.allCases.contains { Outcome(written, version, from: $0) == whole }, "nobody may send \(packet)")
    }
    return 0
}

private func check(_ packet: Packet, _ version: ProtocolVersion, _ sender: Sender) {
    // A CONNECT says its own version.
    var packetVersion = version
    if case .connect(let connect) = packet { packetVersion = connect.version }
    // 0x80 is read there and not written.
    if case .suback = packet, version == .v31 { return }
    let written = packet.encoded(packetVersion)
    require(packet.encodedSize(version: packetVersion) == written.count, "the size was said to be another")
    let again = Outcome(written, packetVersion, from: sender)
    require(again == .packet(packet, consumed: written.count), "\(packet) came back as \(again)")
}
