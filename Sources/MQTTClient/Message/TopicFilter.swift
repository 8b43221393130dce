package import MQTTProtocol

/// A Topic Filter, §4.7: which topics a subscription is for. `+` stands for one level, `#` at the end for all that
/// follow, and `$share/GROUP/FILTER` makes a shared subscription, §4.8.2.
public struct TopicFilter: Hashable, Sendable {
    package let bytes: MQTTString
    /// Where the filter proper begins: behind `$share/GROUP/`, else 0.
    private let start: Int

    /// - Throws: `ClientError.invalidFilter` where a wildcard is not a whole level, `#` is not the last, the text is empty
    ///   or too long, or a shared subscription has no group or no filter.
    public init(_ filter: String) throws(ClientError) {
        var filter = filter
        let start: Int? = filter.withUTF8 { text in
            let text = UnsafeRawBufferPointer(text)
            switch TopicSyntax.sharedFilter(text) {
            case .notShared: return TopicSyntax.isValidFilter(text) ? 0 : nil
            case .invalid: return nil
            case .shared(_, let range): return range.lowerBound
            }
        }
        guard let start else { throw .invalidFilter(filter) }
        self.bytes = MQTTString(filter)
        self.start = start
    }

    /// The filter that is exactly one topic.
    public init(_ topic: Topic) {
        self.bytes = topic.name
        self.start = 0
    }

    /// The bytes as they go over the wire.
    public var utf8: [UInt8] { bytes.bytes }

    /// The filter as text.
    public var text: String { String(decoding: bytes.bytes, as: UTF8.self) }

    /// Whether this is `$share/…`, §4.8.2.
    public var isShared: Bool { start > 0 }

    /// Whether there is a `+` or `#` in it, §4.7.1.
    public var hasWildcard: Bool {
        bytes.bytes[start...].contains { $0 == UInt8(ascii: "+") || $0 == UInt8(ascii: "#") }
    }

    /// Whether a message of `topic` belongs to this subscription, §4.7. Topics that begin with `$` are not matched by a
    /// filter that begins with a wildcard [5.0 MQTT-4.7.2-1].
    public func matches(_ topic: Topic) -> Bool {
        bytes.bytes.withUnsafeBufferPointer { filter in
            topic.name.bytes.withUnsafeBufferPointer { name in
                Self.matches(UnsafeBufferPointer(rebasing: filter[start...]), name)
            }
        }
    }

    private static func matches(_ filter: UnsafeBufferPointer<UInt8>, _ name: UnsafeBufferPointer<UInt8>) -> Bool {
        let (plus, hash, slash) = (UInt8(ascii: "+"), UInt8(ascii: "#"), UInt8(ascii: "/"))
        if name.first == UInt8(ascii: "$"), filter.first == plus || filter.first == hash { return false }
        var f = 0
        var n = 0
        while f < filter.count {
            if filter[f] == hash { return true }
            if filter[f] == plus {
                while n < name.count, name[n] != slash { n += 1 }
                f += 1
            } else {
                while f < filter.count, filter[f] != slash {
                    guard n < name.count, name[n] == filter[f] else { return false }
                    f += 1
                    n += 1
                }
            }
            // Both stand at the end of a level.
            guard n == name.count || name[n] == slash else { return false }
            if f == filter.count { return n == name.count }
            // The filter goes on with `/`.
            if n == name.count { return f + 2 == filter.count && filter[f + 1] == hash }
            f += 1
            n += 1
            // `a/` ends with an empty level, which only an empty level or a wildcard matches.
            if f == filter.count { return n == name.count }
        }
        return n == name.count
    }
}

extension TopicFilter: ExpressibleByStringInterpolation {
    /// For filters in source code, interpolated ones too. Text that is no filter is a mistake of the program and stops it: use
    /// `try TopicFilter(text)` for text from elsewhere.
    public init(stringLiteral value: String) {
        do {
            try self.init(value)
        } catch {
            preconditionFailure("\(error)")
        }
    }
}

extension TopicFilter: CustomStringConvertible {
    /// For people: control characters are escaped.
    public var description: String { bytes.description }
}
