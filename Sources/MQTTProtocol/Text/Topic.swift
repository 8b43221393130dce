/// What `TopicSyntax.sharedFilter` found; ranges are byte offsets into the whole filter.
package enum SharedFilterParse: Equatable, Sendable {
    /// Does not begin with `$share/`: an ordinary filter.
    case notShared
    /// Begins with `$share/`, but the group or the filter behind it is not allowed, §4.8.2.
    case invalid
    case shared(group: Range<Int>, filter: Range<Int>)
}

/// The grammar of topic names and filters, §4.7, on bytes.
package enum TopicSyntax {
    /// At least one byte, UTF-8, no wildcard.
    package static func isValidName(_ bytes: UnsafeRawBufferPointer) -> Bool {
        // [5.0 MQTT-4.7.3-1] [5.0 MQTT-4.7.3-2] [5.0 MQTT-4.7.3-3] [5.0 MQTT-3.3.2-2] [3.1.1 MQTT-3.3.2-2]
        !bytes.isEmpty && bytes.count <= 65_535 && !containsWildcard(bytes) && UTF8Validation.isValid(bytes)
    }

    /// At least one byte, UTF-8, `#` only as the last level and `+` only as a whole level.
    /// `$share/…` is read as an ordinary filter here; ask `sharedFilter` first.
    package static func isValidFilter(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard !bytes.isEmpty, bytes.count <= 65_535, UTF8Validation.isValid(bytes) else { return false }
        let last = bytes.count - 1
        for index in 0...last where bytes[index] == plus || bytes[index] == hash {
            guard index == 0 || bytes[index - 1] == slash else { return false }
            if bytes[index] == hash {
                guard index == last else { return false }  // [5.0 MQTT-4.7.1-1] [3.1.1 MQTT-4.7.1-2]
            } else {
                guard index == last || bytes[index + 1] == slash else { return false }  // [5.0 MQTT-4.7.1-2]
            }
        }
        return true
    }

    /// Takes `$share/GROUP/FILTER` apart, §4.8.2.
    package static func sharedFilter(_ bytes: UnsafeRawBufferPointer) -> SharedFilterParse {
        guard hasSharePrefix(bytes) else { return .notShared }
        let start = 7
        // [5.0 MQTT-4.8.2-1] [5.0 MQTT-4.8.2-2]: a group of at least one character, a slash, a filter.
        guard let end = bytes[start...].firstIndex(of: slash), end > start, end + 1 < bytes.count,
            !containsWildcard(UnsafeRawBufferPointer(rebasing: bytes[start..<end])),
            UTF8Validation.isValid(UnsafeRawBufferPointer(rebasing: bytes[start..<end])),
            isValidFilter(UnsafeRawBufferPointer(rebasing: bytes[(end + 1)...]))
        else { return .invalid }
        return .shared(group: start..<end, filter: (end + 1)..<bytes.count)
    }

    /// Whether a filter begins with `$share/`.
    package static func hasSharePrefix(_ bytes: UnsafeRawBufferPointer) -> Bool {
        bytes.starts(with: "$share/".utf8)
    }

    static func containsWildcard(_ bytes: UnsafeRawBufferPointer) -> Bool {
        for byte in bytes where byte == plus || byte == hash { return true }
        return false
    }

    private static var plus: UInt8 { UInt8(ascii: "+") }
    private static var hash: UInt8 { UInt8(ascii: "#") }
    private static var slash: UInt8 { UInt8(ascii: "/") }
}
