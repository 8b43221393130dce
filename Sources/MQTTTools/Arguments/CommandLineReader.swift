#if canImport(Darwin)
import Darwin
#elseif canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Words to arguments: the file of options first, then the command line, which wins. Before: `main`. After: a conversation.
package struct CommandLineReader {
    /// What a command line asks for.
    package enum Wish: Sendable {
        case run(ToolArguments)
        case help
        case version
    }

    /// Finds the file of options; tests have their own.
    package typealias Environment = @Sendable (String) -> String?

    /// - Parameter words: what stands behind the program's name.
    /// - Throws: `ArgumentFault`.
    package static func read(
        _ words: [Word], for tool: Tool, environment: Environment = { name in getenv(name).map { String(cString: $0) } }
    ) throws(ArgumentFault) -> Wish {
        var arguments = ToolArguments(tool)
        let file = try OptionsFile.find(words, for: tool, environment: environment)
        for line in file?.lines ?? [] {
            // A file may not ask for help.
            _ = try take(line, into: &arguments, isFile: true)
        }
        // mosquitto's message options are given once, wherever they stand; so is the rest, and the command line's comes last.
        if let wish = try take(words, into: &arguments, isFile: false) { return wish }
        try arguments.check()
        return .run(arguments)
    }

    private static func take(
        _ words: [Word], into arguments: inout ToolArguments, isFile: Bool
    ) throws(ArgumentFault) -> Wish? {
        var at = 0
        while at < words.count {
            let (name, attached) = split(words[at])
            at += 1
            if name == "--help" { return .help }
            if name == "--version" { return .version }
            if name == "-o", !isFile, at < words.count {  // read already
                at += 1
                continue
            }
            guard let option = OptionTable.option(name, of: arguments.tool) else {
                throw ArgumentFault("Error: Unknown option '\(words[at - 1].text)'.", emptyLine: false)
            }
            var taken = attached.map { [$0] } ?? []
            let count = wordsWanted(option, words[at...])
            guard words.count - at + taken.count >= count else {
                throw ArgumentFault("Error: \(complaint(option)).")
            }
            while taken.count < count {
                taken.append(words[at])
                at += 1
            }
            guard attached == nil || count == 1 else {
                throw ArgumentFault("Error: \(name) takes no value.")
            }
            try option.action(&arguments, ToolOption.Given(name: name, words: taken))
        }
        return nil
    }

    /// `--name=value`, which mosquitto does not know and everybody expects.
    private static func split(_ word: Word) -> (name: String, value: Word?) {
        guard word.bytes.starts(with: "--".utf8), let at = word.bytes.firstIndex(of: UInt8(ascii: "=")) else {
            return (word.text, nil)
        }
        return (Word(Array(word.bytes[..<at])).text, Word(Array(word.bytes[(at + 1)...])))
    }

    private static func wordsWanted(_ option: ToolOption, _ rest: ArraySlice<Word>) -> Int {
        guard option.isProperty else { return option.wants == nil ? 0 : 1 }
        guard rest.count >= 2 else { return 3 }
        return rest[rest.startIndex + 1].text.lowercased() == "user-property" ? 4 : 3
    }

    private static func complaint(_ option: ToolOption) -> String {
        option.isProperty ? "--property argument given but not enough arguments specified" : option.complaint
    }
}

/// The file of options: `-o FILE`, or `mosquitto_pub` (`_sub`, `_rr`) in `$XDG_CONFIG_HOME` or `$HOME/.config`. One option a line,
/// its value behind a space; lines that begin with `#` are comments.
struct OptionsFile {
    /// The longest line that is read, in bytes; mosquitto cuts longer ones there.
    private static let lineBytesMax = 65_536

    /// Each the words of one option.
    let lines: [[Word]]

    static func find(
        _ words: [Word], for tool: Tool, environment: CommandLineReader.Environment
    ) throws(ArgumentFault) -> OptionsFile? {
        if let at = words.firstIndex(of: "-o") {
            guard at + 1 < words.count else {
                throw ArgumentFault("Error: -o argument given but no options file specified.")
            }
            let path = words[at + 1].text
            guard let file = OptionsFile(path: path) else {
                throw ArgumentFault("Error: Unable to open options file \"\(path)\".")
            }
            return file
        }
        if let folder = environment("XDG_CONFIG_HOME") { return OptionsFile(path: "\(folder)/\(tool.mosquittoName)") }
        guard let home = environment("HOME") else { return nil }
        return OptionsFile(path: "\(home)/.config/\(tool.mosquittoName)")
    }

    init?(path: String) {
        guard let stream = fopen(path, "re") else { return nil }
        defer { fclose(stream) }
        var text: [UInt8] = []
        while case let byte = getc(stream), byte != EOF, text.count < 1 << 20 {
            text.append(UInt8(truncatingIfNeeded: byte))
        }
        lines = Self.lines(of: text)
    }

    static func lines(of text: [UInt8]) -> [[Word]] {
        text.split(whereSeparator: { $0 == 0x0A || $0 == 0x0D }).compactMap { line in
            guard line.first != UInt8(ascii: "#") else { return nil }
            let line = line.prefix(lineBytesMax).drop { $0 == 0x20 }
            guard !line.isEmpty else { return nil }
            let name = line.prefix { $0 != 0x20 }
            let value = line.dropFirst(name.count + 1)
            guard !value.isEmpty else { return [Word(Array(name))] }
            guard Array(name) == Array("-D".utf8) || Array(name) == Array("--property".utf8) else {
                return [Word(Array(name)), Word(Array(value))]
            }
            return [Word(Array(name))] + properties(value)
        }
    }

    /// `-D` wants several words; the last is all that is left of the line.
    private static func properties(_ value: ArraySlice<UInt8>) -> [Word] {
        let isPair = value.split(separator: 0x20, maxSplits: 2).dropFirst().first.map {
            String(decoding: $0, as: UTF8.self).lowercased() == "user-property"
        }
        return value.split(separator: 0x20, maxSplits: isPair == true ? 3 : 2).map { Word(Array($0)) }
    }
}
