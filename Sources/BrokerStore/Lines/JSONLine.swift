import Foundation

/// Writes one object, members in the order they are added. Owns the line's bytes.
struct JSONLine {
    private(set) var bytes: [UInt8] = []
    private var needsComma = false

    init(type: StaticString) {
        bytes.append(UInt8(ascii: "{"))
        add("type", text: Array("\(type)".utf8))
    }

    /// A part of a line: begin and end are the caller's.
    init() {}

    private mutating func name(_ name: StaticString) {
        if needsComma { bytes.append(UInt8(ascii: ",")) }
        needsComma = true
        string(Array("\(name)".utf8))
        bytes.append(UInt8(ascii: ":"))
    }

    mutating func add(_ name: StaticString, _ value: some BinaryInteger) {
        self.name(name)
        bytes += Array(String(value).utf8)
    }

    /// Left out where false.
    mutating func add(_ name: StaticString, ifTrue value: Bool) {
        guard value else { return }
        self.name(name)
        bytes += Array("true".utf8)
    }

    mutating func add(_ name: StaticString, text: [UInt8]) {
        self.name(name)
        string(text)
    }

    /// Bytes: as text where they are text that can be read, else in base64 under the name with `Base64` behind it.
    mutating func add(bytes value: [UInt8], _ name: StaticString, base64 other: StaticString) {
        if JSONLine.isReadable(value) {
            add(name, text: value)
        } else {
            add(other, text: Array(Data(value).base64EncodedString().utf8))
        }
    }

    mutating func add<Element>(_ name: StaticString, list: [Element], _ element: (inout JSONLine, Element) -> Void) {
        self.name(name)
        bytes.append(UInt8(ascii: "["))
        for (place, value) in list.enumerated() {
            if place > 0 { bytes.append(UInt8(ascii: ",")) }
            needsComma = false
            element(&self, value)
        }
        bytes.append(UInt8(ascii: "]"))
        needsComma = true
    }

    mutating func add(_ name: StaticString, object: (inout JSONLine) -> Void) {
        self.name(name)
        addObject(object)
    }

    /// An object as an element of a list.
    mutating func addObject(_ object: (inout JSONLine) -> Void) {
        bytes.append(UInt8(ascii: "{"))
        needsComma = false
        object(&self)
        bytes.append(UInt8(ascii: "}"))
        needsComma = true
    }

    /// A number as an element of a list.
    mutating func element(_ value: some BinaryInteger) { bytes += Array(String(value).utf8) }

    /// Texts and numbers as a list within a list.
    mutating func elements(_ parts: [[UInt8]]) {
        bytes.append(UInt8(ascii: "["))
        for (place, part) in parts.enumerated() {
            if place > 0 { bytes.append(UInt8(ascii: ",")) }
            string(part)
        }
        bytes.append(UInt8(ascii: "]"))
    }

    /// Ends the line.
    mutating func end() -> [UInt8] {
        bytes += Array("}\n".utf8)
        return bytes
    }

    private mutating func string(_ text: [UInt8]) {
        bytes.append(UInt8(ascii: "\""))
        for byte in text {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): bytes += [UInt8(ascii: "\\"), byte]
            case 0x0A: bytes += Array("\\n".utf8)
            case 0x0D: bytes += Array("\\r".utf8)
            case 0x09: bytes += Array("\\t".utf8)
            case 0..<0x20, 0x7F:
                let digits = String(byte, radix: 16)
                bytes += Array("\\u00\(digits.utf8.count < 2 ? "0" : "")\(digits)".utf8)
            default: bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }

    /// UTF-8 without control characters but tab and the ends of lines.
    static func isReadable(_ bytes: [UInt8]) -> Bool {
        guard String(validating: bytes, as: UTF8.self) != nil else { return false }
        var last: UInt8 = 0
        for byte in bytes {
            if byte < 0x20, byte != 0x09, byte != 0x0A, byte != 0x0D { return false }
            // U+0080 to U+009F move a terminal's cursor too.
            if byte == 0x7F || (last == 0xC2 && byte < 0xA0) { return false }
            last = byte
        }
        return true
    }
}
