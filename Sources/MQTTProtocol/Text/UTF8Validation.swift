/// The UTF-8 that MQTT allows, §1.5.4.
package enum UTF8Validation {
    /// False for overlong forms, surrogates, code points above U+10FFFF and U+0000.
    /// Control characters and noncharacters are accepted: refusing them is a MAY, and a broker that forwards them to a
    /// peer that refuses them would let one publisher close other people's connections only if it were stricter itself.
    package static func isValid(_ bytes: UnsafeRawBufferPointer) -> Bool {
        let count = bytes.count
        var index = 0
        while index < count {
            // Eight at a time while they are ASCII and not null: subtracting one from a zero byte sets its high bit.
            while index &+ 8 <= count {
                let word = bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self)
                guard (word | (word &- 0x0101_0101_0101_0101)) & 0x8080_8080_8080_8080 == 0 else { break }
                index &+= 8
            }
            guard index < count else { return true }
            let first = bytes[index]
            if first < 0x80 {
                guard first != 0 else { return false }  // [5.0 MQTT-1.5.4-2] [3.1.1 MQTT-1.5.3-2]
                index &+= 1
                continue
            }
            let length = sequenceLength(bytes, at: index)
            guard length > 0 else { return false }  // [5.0 MQTT-1.5.4-1] [3.1.1 MQTT-1.5.3-1]
            index &+= length
        }
        return true
    }

    /// Bytes of the multi-byte sequence at `index`, 2 to 4; 0 when it is ill-formed (Unicode Table 3-7).
    private static func sequenceLength(_ bytes: UnsafeRawBufferPointer, at index: Int) -> Int {
        func isContinuation(_ offset: Int, _ low: UInt8 = 0x80, _ high: UInt8 = 0xBF) -> Bool {
            index &+ offset < bytes.count && bytes[index &+ offset] >= low && bytes[index &+ offset] <= high
        }
        switch bytes[index] {
        case 0xC2...0xDF:
            return isContinuation(1) ? 2 : 0
        case 0xE0:
            return isContinuation(1, 0xA0) && isContinuation(2) ? 3 : 0
        case 0xED:
            return isContinuation(1, 0x80, 0x9F) && isContinuation(2) ? 3 : 0
        case 0xE1...0xEF:
            return isContinuation(1) && isContinuation(2) ? 3 : 0
        case 0xF0:
            return isContinuation(1, 0x90) && isContinuation(2) && isContinuation(3) ? 4 : 0
        case 0xF1...0xF3:
            return isContinuation(1) && isContinuation(2) && isContinuation(3) ? 4 : 0
        case 0xF4:
            return isContinuation(1, 0x80, 0x8F) && isContinuation(2) && isContinuation(3) ? 4 : 0
        default:
            return 0
        }
    }
}
