import ArgumentParser
import MQTTTools

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

    /// Any bytes that CONNECT can carry; of a file or a variable, never none.
    func bytes() throws -> [UInt8] {
        do throws(SecretSource.Fault) {
            switch self {
            case .word(let word): return Array(word.utf8)
            case .file(let path): return try SecretSource.read(file: path)
            case .variable(let name): return try SecretSource.read(variable: name)
            }
        } catch { throw ValidationError("\(error).") }
    }

    /// The password of a key: text.
    func text() throws -> String {
        let bytes = try bytes()
        do { return try SecretSource.text(bytes) } catch { throw ValidationError("\(error).") }
    }
}
