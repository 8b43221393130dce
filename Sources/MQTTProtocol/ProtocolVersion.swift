/// The three protocol levels Martlet speaks; the raw value is the byte in CONNECT.
public enum ProtocolVersion: UInt8, Sendable, Comparable, CaseIterable {
    /// MQTT 3.1, protocol name `MQIsdp`.
    case v31 = 3
    /// MQTT 3.1.1.
    case v311 = 4
    /// MQTT 5.0.
    case v5 = 5

    public static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }
}
