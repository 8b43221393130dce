/// The fifteen control packets, Table 2-1; the raw value is the high nibble of the first byte.
public enum PacketType: UInt8, Sendable, Hashable, CaseIterable, CustomStringConvertible {
    case connect = 1
    case connack = 2
    case publish = 3
    case puback = 4
    case pubrec = 5
    case pubrel = 6
    case pubcomp = 7
    case subscribe = 8
    case suback = 9
    case unsubscribe = 10
    case unsuback = 11
    case pingreq = 12
    case pingresp = 13
    case disconnect = 14
    case auth = 15

    /// The low nibble Table 2-2 demands; PUBLISH carries DUP, QoS and RETAIN there instead.
    @inlinable public var fixedFlags: UInt8 {
        switch self {
        case .pubrel, .subscribe, .unsubscribe: 0b0010
        default: 0
        }
    }

    /// Throws unless the flags are what the standard fixes for this type.
    /// 3.1 knows a DUP bit on PUBREL, SUBSCRIBE and UNSUBSCRIBE and it may be set there.
    @inlinable public func check(flags: UInt8, version: ProtocolVersion) throws(PacketError) {
        let ignored: UInt8 = version == .v31 && fixedFlags == 0b0010 ? 0b1000 : 0
        guard flags & ~ignored == fixedFlags else {
            throw .reservedFlags(self)  // [5.0 MQTT-2.1.3-1] [3.1.1 MQTT-2.2.2-2]
        }
    }

    /// Whether this side may send such a packet in this version, Table 2-1.
    package func maySend(_ sender: Sender, version: ProtocolVersion) -> Bool {
        switch self {
        case .connect, .subscribe, .unsubscribe, .pingreq: sender == .client
        case .connack, .suback, .unsuback, .pingresp: sender == .server
        case .publish, .puback, .pubrec, .pubrel, .pubcomp, .auth: true
        case .disconnect: sender == .client || version == .v5
        }
    }

    /// The standard's spelling, for logs.
    public var description: String {
        switch self {
        case .connect: "CONNECT"
        case .connack: "CONNACK"
        case .publish: "PUBLISH"
        case .puback: "PUBACK"
        case .pubrec: "PUBREC"
        case .pubrel: "PUBREL"
        case .pubcomp: "PUBCOMP"
        case .subscribe: "SUBSCRIBE"
        case .suback: "SUBACK"
        case .unsubscribe: "UNSUBSCRIBE"
        case .unsuback: "UNSUBACK"
        case .pingreq: "PINGREQ"
        case .pingresp: "PINGRESP"
        case .disconnect: "DISCONNECT"
        case .auth: "AUTH"
        }
    }
}
