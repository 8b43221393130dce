extension ReasonCode {
    /// Whether this code may stand in a 5.0 packet of that place, the tables of §3. In a packet of another place it is a
    /// Protocol Error. Places without a reason code allow none.
    package func isAllowed(in place: Place) -> Bool {
        switch place {
        case .connack:  // Table 3-1
            switch rawValue {
            case 0x00, 0x80...0x8A, 0x8C, 0x90, 0x95, 0x97, 0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9F: true
            default: false
            }
        case .puback, .pubrec:  // Tables 3-4 and 3-5
            switch rawValue {
            case 0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99: true
            default: false
            }
        case .pubrel, .pubcomp:  // Tables 3-6 and 3-7
            rawValue == 0x00 || rawValue == 0x92
        case .suback:  // Table 3-8
            switch rawValue {
            case 0x00, 0x01, 0x02, 0x80, 0x83, 0x87, 0x8F, 0x91, 0x97, 0x9E, 0xA1, 0xA2: true
            default: false
            }
        case .unsuback:  // Table 3-9
            switch rawValue {
            case 0x00, 0x11, 0x80, 0x83, 0x87, 0x8F, 0x91: true
            default: false
            }
        case .disconnectFromClient:
            // Table 3-10; 0x8C because Table 2-6 lists it for DISCONNECT, 0x9B because §3.3.4 tells clients to use it.
            switch rawValue {
            case 0x00, 0x04, 0x80...0x83, 0x8C, 0x90, 0x93...0x99, 0x9B: true
            default: false
            }
        case .disconnectFromServer:  // Table 3-10, and 0x8C as above
            switch rawValue {
            case 0x00, 0x80...0x83, 0x87, 0x89, 0x8B...0x90, 0x93...0xA2: true
            default: false
            }
        case .authFromClient:  // Table 3-11
            rawValue == 0x18 || rawValue == 0x19
        case .authFromServer:
            rawValue == 0x00 || rawValue == 0x18
        case .connect, .will, .publishFromClient, .publishFromServer, .subscribe, .unsubscribe:
            false
        }
    }
}
