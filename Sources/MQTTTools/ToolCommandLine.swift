#if canImport(Darwin)
import Darwin
#elseif canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// How a process comes to be one of the three tools: by the name it was called, or by its first word. Before: `main`. After:
/// `ToolProgram`.
package enum ToolCommandLine {
    /// Runs a tool and ends the process, where one is meant.
    package static func runIfMeant() {
        let arguments = pointers()
        guard let first = arguments.first else { return }
        let called = String(cString: first).split(separator: "/").last ?? ""
        let word = arguments.count > 1 ? String(cString: arguments[1]) : ""
        for tool in Tool.allCases {
            if called == tool.mosquittoName { run(tool, behind: 1, name: tool.mosquittoName) }
            if word == tool.rawValue { run(tool) }
        }
    }

    /// `martlet pub …`.
    package static func run(_ tool: Tool) -> Never { run(tool, behind: 2, name: "martlet \(tool.rawValue)") }

    private static func run(_ tool: Tool, behind: Int, name: String) -> Never {
        ToolProgram.run(tool, Array(words().dropFirst(behind)), name: name)
    }

    private static func pointers() -> [UnsafeMutablePointer<CChar>] {
        UnsafeBufferPointer(start: CommandLine.unsafeArgv, count: Int(CommandLine.argc)).compactMap { $0 }
    }

    /// Takes passwords out of what `ps` shows, for programs whose words ArgumentParser has read.
    package static func hideSecrets() { _ = words() }

    /// As bytes: Swift's own list repairs what is not UTF-8. Passwords are taken out of what `ps` shows; whoever looks in the
    /// first milliseconds still sees them.
    private static func words() -> [Word] {
        let pointers = pointers()
        let words = pointers.map { word in
            Word(UnsafeBufferPointer(start: word, count: strlen(word)).map { UInt8(bitPattern: $0) })
        }
        for (place, range) in SecretWords.ranges(in: words) {
            memset(pointers[place] + range.lowerBound, Int32(UInt8(ascii: "*")), range.count)
        }
        return words
    }
}
