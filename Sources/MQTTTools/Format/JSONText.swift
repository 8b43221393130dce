/// Text as JSON has it, RFC 8259 §7: `"` and `\` and control characters escaped, everything else as it is. Bytes that are not
/// UTF-8 become U+FFFD, since JSON cannot hold them.
package enum JSONText {
    /// Appends `bytes` as a JSON string, quotes included.
    package static func append(_ bytes: some Sequence<UInt8>, to line: inout [UInt8]) {
        line.append(UInt8(ascii: "\""))
        for byte in String(decoding: Array(bytes), as: UTF8.self).utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): line += [UInt8(ascii: "\\"), byte]
            case 0x08: line += Array("\\b".utf8)
            case 0x09: line += Array("\\t".utf8)
            case 0x0A: line += Array("\\n".utf8)
            case 0x0C: line += Array("\\f".utf8)
            case 0x0D: line += Array("\\r".utf8)
            case 0x00..<0x20:
                line += Array("\\u00".utf8)
                line += [hexDigits[Int(byte >> 4)], hexDigits[Int(byte & 15)]]
            default: line.append(byte)
            }
        }
        line.append(UInt8(ascii: "\""))
    }

    /// A JSON string, quotes included.
    package static func quoted(_ text: String) -> String {
        var line: [UInt8] = []
        append(text.utf8, to: &line)
        return String(decoding: line, as: UTF8.self)
    }

    private static let hexDigits = Array("0123456789abcdef".utf8)
}
