import MQTTClient

/// What a relay saw of the QoS 2 messages on topic `n/2`, as their sender sent them: so that a fault is laid at the right door.
struct RelayWitness {
    /// Numbers in the order of their first PUBLISH.
    private(set) var published: [Int] = []
    /// Numbers in the order of their first PUBREL.
    private(set) var released: [Int] = []
    /// Numbers that were sent as PUBLISH once more after their PUBREL, which [3.1.1 MQTT-4.3.3-1] forbids.
    private(set) var repeatedAfterRelease: Set<Int> = []

    private var numbers: [UInt16: Int] = [:]
    private var releasedIdentifiers: Set<UInt16> = []
    private var everReleased: Set<Int> = []
    private var everPublished: Set<Int> = []

    /// A whole packet, before anything is done to it.
    mutating func observe(_ packet: [UInt8], _ version5: Bool) {
        switch packet[0] >> 4 {
        case 3 where packet[0] & 0x06 == 0x04: publish(packet, version5)
        case 6 where packet.count >= 4:
            let identifier = UInt16(packet[2]) << 8 | UInt16(packet[3])
            guard let number = numbers[identifier] else { return }
            releasedIdentifiers.insert(identifier)
            if everReleased.insert(number).inserted { released.append(number) }
        default: break
        }
    }

    /// Small packets only: their length has one byte.
    private mutating func publish(_ packet: [UInt8], _ version5: Bool) {
        guard packet.count > 9, packet[1] < 0x80, Array(packet[2..<7]) == [0, 3] + Array("n/2".utf8) else { return }
        let identifier = UInt16(packet[7]) << 8 | UInt16(packet[8])
        let payload = 9 + (version5 ? 1 + Int(packet[9]) : 0)
        let number = number(Array(packet[payload...]))
        if packet[0] & 0x08 != 0, releasedIdentifiers.contains(identifier), numbers[identifier] == number {
            repeatedAfterRelease.insert(number)
        } else if packet[0] & 0x08 == 0 {
            releasedIdentifiers.remove(identifier)
        }
        numbers[identifier] = number
        if everPublished.insert(number).inserted { published.append(number) }
    }
}
