/// The name of a person or a group: one level of a topic. [CH-9]
///
/// Names are compared byte by byte, as topics are: `é` written in two ways is two people.
package struct ChatName: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// The longest that is taken, in bytes: a topic holds two of them and has 65,535.
    package static let bytesMax = 255

    package let text: String

    /// Why a text is no name.
    package enum Fault: Error, Equatable, CustomStringConvertible {
        case empty
        case tooLong
        case forbidden(Character)
        case controlCharacter
        case notUTF8

        package var description: String {
            switch self {
            case .empty: "a name has at least one character"
            case .tooLong: "a name has at most \(ChatName.bytesMax) bytes"
            case .forbidden(let character): "a name must not contain '\(character)': it has a meaning in topics"
            case .controlCharacter: "a name must not contain control characters"
            case .notUTF8: "a name is text in UTF-8"
            }
        }
    }

    /// - Throws: what is wrong, in words.
    package init(_ text: String) throws(Fault) {
        try self.init(utf8: Array(text.utf8))
    }

    /// What came in a payload or a topic. [CH-9]
    package init(utf8 bytes: [UInt8]) throws(Fault) {
        guard !bytes.isEmpty else { throw .empty }
        guard bytes.count <= Self.bytesMax else { throw .tooLong }
        guard let text = String(validating: bytes, as: UTF8.self) else { throw .notUTF8 }
        for byte in bytes where byte == UInt8(ascii: "/") || byte == UInt8(ascii: "+") || byte == UInt8(ascii: "#") {
            throw .forbidden(Character(UnicodeScalar(byte)))
        }
        guard !text.unicodeScalars.contains(where: { SafeText.isForbidden($0) }) else { throw .controlCharacter }
        self.text = text
    }

    package var description: String { text }

    package static func == (a: ChatName, b: ChatName) -> Bool { a.text.utf8.elementsEqual(b.text.utf8) }
    package func hash(into hasher: inout Hasher) { for byte in text.utf8 { hasher.combine(byte) } }
    package static func < (a: ChatName, b: ChatName) -> Bool { a.text.utf8.lexicographicallyPrecedes(b.text.utf8) }
}

/// Whom a message is for, and where it is read.
package enum Place: Sendable, Hashable, Comparable {
    case person(ChatName)
    case group(ChatName)

    package var name: ChatName {
        switch self {
        case .person(let name), .group(let name): name
        }
    }

    package static func < (a: Place, b: Place) -> Bool {
        switch (a, b) {
        case (.person, .group): true
        case (.group, .person): false
        default: a.name < b.name
        }
    }
}

/// How reachable a person says to be. [CH-8]
package enum ChatStatus: String, Sendable, Hashable, CaseIterable {
    case online = "ONLINE"
    case away = "AWAY"
    case doNotDisturb = "DO NOT DISTURB"

    /// What a person types: any case, any spaces between words; `DND` too. Nil = none of the three. [CH-8]
    package init?(typed: String) {
        let words = typed.split(separator: " ").joined(separator: " ").uppercased()
        if words == "DND" { self = .doNotDisturb } else { self.init(rawValue: words) }
    }

    /// The three, for people.
    package static var list: String { allCases.map(\.rawValue).joined(separator: ", ") }
}
