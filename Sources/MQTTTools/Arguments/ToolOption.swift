/// One row of the table: the names of an option, who takes it, what comes behind it, and what it does.
struct ToolOption: Sendable {
    typealias Action = @Sendable (inout ToolArguments, Given) throws(ArgumentFault) -> Void

    /// An option as it stands on a command line.
    struct Given {
        /// The name it was given by, as `-q` or `--qos`.
        let name: String
        let words: [Word]

        var word: Word { words[0] }
        var text: String { words[0].text }
    }

    /// The first is the one that complaints name.
    let names: [String]
    let tools: Tools
    /// What must follow it, in words for the complaint that it does not; nil = nothing follows.
    let wants: String?
    /// What is said where nothing follows.
    let complaint: String
    /// What the help page says of it, where it is ours: mosquitto's options are explained in mosquitto's text.
    let ours: String?
    let action: Action

    init(
        _ names: String..., tools: Tools = .all, wants: String? = nil, complaint: String? = nil, ours: String? = nil,
        action: @escaping Action
    ) {
        self.names = names
        self.tools = tools
        self.wants = wants
        self.complaint = complaint ?? "\(names[0]) argument given but no \(wants ?? "value") specified"
        self.ours = ours
        self.action = action
    }

    /// `-D` alone takes more than one word.
    var isProperty: Bool { names.contains("--property") }
}

extension ToolOption.Given {
    /// A number as C's `atoi` reads it: what is none is 0.
    var integer: Int { CNumber.integer(word) }

    /// A text that goes into a packet.
    func utf8(_ argument: String, emptyLine: Bool = true) throws(ArgumentFault) -> String {
        guard let text = word.validText else {
            throw ArgumentFault("Error: Malformed UTF-8 in \(argument) argument.", emptyLine: emptyLine)
        }
        return text
    }
}

/// Numbers as C's library reads them, since that is what mosquitto's programs take.
enum CNumber {
    /// `atoi`: leading space, a sign, digits; whatever follows is not looked at.
    static func integer(_ word: Word) -> Int {
        var rest = word.bytes.drop { $0 == 0x20 || (0x09...0x0D).contains($0) }
        let isNegative = rest.first == UInt8(ascii: "-")
        if isNegative || rest.first == UInt8(ascii: "+") { rest = rest.dropFirst() }
        var value = 0
        for digit in rest {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) else { break }
            value = min(value * 10 + Int(digit - UInt8(ascii: "0")), 1 << 52)
        }
        return isNegative ? -value : value
    }

    /// `atof`: 0 where it is no number.
    static func decimal(_ word: Word) -> Double {
        let digits = word.bytes.prefix {
            UInt8(ascii: "0") <= $0 && $0 <= UInt8(ascii: "9") || "+-.eE".utf8.contains($0)
        }
        return Double(String(decoding: digits, as: UTF8.self)) ?? Double(integer(word))
    }
}
