/// The three programs that share one table of options.
package enum Tool: String, Sendable, CaseIterable {
    case pub, sub, rr

    /// What mosquitto calls it: the name of a link, and of the file of options.
    package var mosquittoName: String { "mosquitto_\(rawValue)" }
}

/// Which tools take an option.
struct Tools: OptionSet, Sendable {
    let rawValue: UInt8
    static let pub = Tools(rawValue: 1)
    static let sub = Tools(rawValue: 2)
    static let rr = Tools(rawValue: 4)
    static let all: Tools = [.pub, .sub, .rr]

    init(rawValue: UInt8) { self.rawValue = rawValue }
    init(_ tool: Tool) {
        switch tool {
        case .pub: self = .pub
        case .sub: self = .sub
        case .rr: self = .rr
        }
    }
}

/// One word of a command line: bytes, since a payload or a password may be any.
package struct Word: Sendable, Hashable, ExpressibleByStringLiteral {
    package let bytes: [UInt8]

    package init(_ bytes: [UInt8]) { self.bytes = bytes }
    package init(_ text: String) { bytes = Array(text.utf8) }
    package init(stringLiteral value: String) { self.init(value) }

    /// For file names and messages; what is not UTF-8 is replaced.
    package var text: String { String(decoding: bytes, as: UTF8.self) }
    /// Nil where the bytes are not UTF-8.
    package var validText: String? { String(validating: bytes, as: UTF8.self) }
}

/// Why a command line cannot be carried out. Exit status 1.
package struct ArgumentFault: Error, Hashable, Sendable, CustomStringConvertible {
    /// Without its line end.
    package let description: String
    /// mosquitto leaves a line empty after most of its messages, and after some it does not.
    let hasEmptyLine: Bool
    /// Whether the line that names `--help` follows: mosquitto does without where the words were right and what they name is not.
    package let namesHelp: Bool

    init(_ description: String, emptyLine: Bool = true, namesHelp: Bool = true) {
        self.description = description
        self.hasEmptyLine = emptyLine && namesHelp
        self.namesHelp = namesHelp
    }

    package var printed: String { description + (hasEmptyLine ? "\n\n" : "\n") }
}
