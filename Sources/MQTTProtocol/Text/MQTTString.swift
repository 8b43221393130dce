/// A string field, §1.5.4: validated UTF-8 of at most 65,535 bytes. It is compared byte by byte: Swift's `String ==`
/// normalizes, which breaks [5.0 MQTT-4.7.3-4].
package struct MQTTString: Hashable, Sendable {
    package let bytes: [UInt8]

    /// Copies and validates. Throws `invalidUTF8`, `nullCharacter` or `stringTooLong`.
    package init(validating source: UnsafeRawBufferPointer) throws(PacketError) {
        guard source.count <= 65_535 else { throw .stringTooLong }
        guard UTF8Validation.isValid(source) else {
            throw source.contains(0) ? .nullCharacter : .invalidUTF8
        }
        self.bytes = [UInt8](source)
    }

    /// Bytes that a `PropertyReader` has validated already.
    init(validated source: UnsafeRawBufferPointer) {
        assert(UTF8Validation.isValid(source), "the caller validates first")
        self.bytes = [UInt8](source)
    }

    /// Nil when the bytes are not allowed in a string.
    package init?(_ bytes: [UInt8]) {
        guard bytes.count <= 65_535, bytes.withUnsafeBytes({ UTF8Validation.isValid($0) }) else { return nil }
        self.bytes = bytes
    }

    /// For text from our own source: traps on a null character and beyond 65,535 bytes.
    package init(_ string: String) {
        let bytes = Array(string.utf8)
        precondition(!bytes.contains(0), "a string field holds no null character")
        precondition(bytes.count <= 65_535, "a string field holds 65,535 bytes")
        self.bytes = bytes
    }

    package var isEmpty: Bool { bytes.isEmpty }
}

extension MQTTString: ExpressibleByStringLiteral {
    package init(stringLiteral value: String) { self.init(value) }
}

extension MQTTString: CustomStringConvertible {
    /// For people and logs: control characters are escaped as `\u{1B}`, so that a name cannot write to a terminal.
    package var description: String {
        var text = ""
        for scalar in String(decoding: bytes, as: UTF8.self).unicodeScalars {
            switch scalar.value {
            case 0...0x1F, 0x7F...0x9F: text += "\\u{\(String(scalar.value, radix: 16, uppercase: true))}"
            default: text.unicodeScalars.append(scalar)
            }
        }
        return text
    }
}
