/// Quality of service, §4.3.
public enum QoS: UInt8, Sendable, Comparable, CaseIterable {
    case atMostOnce = 0
    case atLeastOnce = 1
    case exactlyOnce = 2

    public static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }
}
