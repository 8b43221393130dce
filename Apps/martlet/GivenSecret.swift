import ArgumentParser
import Glibc

/// A secret as a command line gives it: in one of three ways, of which only the last two keep it out of the list of processes.
enum GivenSecret {
    case word(String)
    /// The first line of this file.
    case file(String)
    /// This variable of the environment.
    case variable(String)

    /// - Parameter options: what the three are called, for whoever gives two of them.
    /// - Returns: nil where none is given.
    init?(word: String?, file: String?, variable: String?, options: String) throws {
        let given = [word.map(Self.word), file.map(Self.file), variable.map(Self.variable)].compactMap(\.self)
        guard given.count < 2 else { throw ValidationError("One of \(options).") }
        guard let secret = given.first else { return nil }
        self = secret
    }

    /// Of a file or a variable, never empty.
    func text() throws -> String {
        switch self {
        case .word(let word): word
        case .file(let path): try Passphrase.firstLine(of: path)
        case .variable(let name): try Passphrase.variable(name)
        }
    }

    /// It may be empty, and a file's need not be UTF-8: a broker is to be tried with any password that CONNECT can carry.
    func bytes() throws -> [UInt8] {
        switch self {
        case .word(let word): return Array(word.utf8)
        case .file(let path): return try Self.firstLine(of: path)
        case .variable(let name):
            guard let value = getenv(name) else {
                throw ValidationError("There is no variable \(name) in the environment.")
            }
            return Array(String(cString: value).utf8)
        }
    }

    private static func firstLine(of path: String) throws -> [UInt8] {
        guard let file = fopen(path, "r") else {
            throw ValidationError("\(path) cannot be read: \(String(cString: strerror(errno))).")
        }
        defer { fclose(file) }
        // The longest that CONNECT can carry, and the end of a line: what is longer is refused by CONNECT.
        var bytes = [UInt8](repeating: 0, count: 65_537)
        let count = fread(&bytes, 1, bytes.count, file)
        return Array(bytes[..<count].prefix { $0 != UInt8(ascii: "\n") && $0 != UInt8(ascii: "\r") })
    }
}
