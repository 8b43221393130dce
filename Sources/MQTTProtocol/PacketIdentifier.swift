/// A packet identifier: never zero, §2.2.1.
package struct PacketIdentifier: Hashable, Sendable {
    package let value: UInt16

    @inlinable package init?(_ value: UInt16) {
        guard value != 0 else { return nil }  // [5.0 MQTT-2.2.1-3] [3.1.1 MQTT-2.3.1-1]
        self.value = value
    }
}
