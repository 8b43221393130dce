package import MQTTProtocol

/// A Topic Name, §4.7: where a message is published. At least one byte of UTF-8, at most 65,535, no wildcard, no null.
///
/// Topics are compared byte by byte, as the standard demands [5.0 MQTT-4.7.3-4]; Swift's `String ==` would call two
/// different topics equal where one is written with combined characters.
public struct Topic: Hashable, Sendable {
    package let name: MQTTString

    /// - Throws: `ClientError.invalidTopic` where the text is empty, too long, or holds `+`, `#` or a null character.
    public init(_ name: String) throws(ClientError) {
        var name = name
        let isValid = name.withUTF8 { TopicSyntax.isValidName(UnsafeRawBufferPointer($0)) }
        guard isValid else { throw .invalidTopic(name) }
        self.name = MQTTString(name)
    }

    /// A topic that has been checked.
    package init(checked name: MQTTString) { self.name = name }

    /// The bytes as they go over the wire.
    public var utf8: [UInt8] { name.bytes }

    /// The topic as text.
    public var text: String { String(decoding: name.bytes, as: UTF8.self) }

    /// Whether a subscription to `filter` would receive messages of this topic, §4.7.
    public func matches(_ filter: TopicFilter) -> Bool { filter.matches(self) }
}

extension Topic: ExpressibleByStringInterpolation {
    /// For topics in source code, interpolated ones too. Text that is no topic is a mistake of the program and stops it: use
    /// `try Topic(text)` for text from elsewhere.
    public init(stringLiteral value: String) {
        do {
            try self.init(value)
        } catch {
            preconditionFailure("\(error)")
        }
    }
}

extension Topic: CustomStringConvertible {
    /// For people: control characters are escaped.
    public var description: String { name.description }
}
