import ArgumentParser
import BrokerAccess
import Glibc
import MQTTProtocol

/// `martlet passwd`, and `mosquitto_passwd` where the program is called so.
struct PasswordCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "passwd",
        abstract: "Add, change and delete users of a password file.",
        usage: """
            martlet passwd [-c] [-H hash | -I n] FILE USER
            martlet passwd [-c] [-H hash | -I n] -b FILE USER PASSWORD
            martlet passwd -D FILE USER
            martlet passwd -U FILE
            """,
        discussion: """
            It asks for the password twice and does not show it. FILE is replaced in one step and readable by its owner
            alone; with -c, FILE may be - for the standard output.

            The hash is argon2id, which mosquitto reads from 2.1 where it was built with it. With -I it is PBKDF2 with so
            many iterations, and every mosquitto from 2.0 reads it. Called as mosquitto_passwd, the program does what that
            one does: PBKDF2, 101 iterations.

            Exit status: 0 done, 1 not.
            """)

    static let mosquittoName = "mosquitto_passwd"

    @Flag(name: [.customShort("b"), .customLong("batch")], help: "The password is an argument, for all to see in ps.")
    var isBatch = false
    @Flag(name: [.customShort("c"), .customLong("create")], help: "Begin a new file; one of that name is overwritten.")
    var creates = false
    @Flag(name: [.customShort("D"), .customLong("delete")], help: "Delete the user.")
    var deletes = false
    @Flag(
        name: [.customShort("U"), .customLong("upgrade")],
        help: "Hash every password that stands in the file plain; those that are hashed stay.")
    var upgrades = false
    @Option(
        name: [.customShort("H"), .customLong("hash")], help: "argon2id, sha512-pbkdf2 or sha512 (for mosquitto 1.6).")
    var hash: Hash?
    @Option(name: [.customShort("I"), .customLong("iterations")], help: "Iterations of PBKDF2, from 1.")
    var iterations: Int?

    /// Everything behind the options: a password may begin with a dash.
    @Argument(parsing: .captureForPassthrough, help: "FILE, USER and, with -b, PASSWORD.")
    var rest: [String] = []

    enum Hash: String, ExpressibleByArgument, CaseIterable {
        case argon2id
        case pbkdf2 = "sha512-pbkdf2"
        case sha512
    }

    func run() throws {
        do throws(PasswordFailure) {
            try work()
        } catch {
            Terminal.complain("\(error.isWarning ? "Warning" : "Error"): \(error.text)")
            throw ExitCode(1)
        }
    }

    private func work() throws(PasswordFailure) {
        if creates, deletes { throw PasswordFailure("-c and -D cannot be used together.") }
        if creates, upgrades { throw PasswordFailure("-c and -U cannot be used together.") }
        if deletes, upgrades { throw PasswordFailure("-D and -U cannot be used together.") }
        if isBatch, deletes { throw PasswordFailure("-b and -D cannot be used together.") }
        let recipe = try recipe()
        let wanted = upgrades ? ["FILE"] : isBatch ? ["FILE", "USER", "PASSWORD"] : ["FILE", "USER"]
        guard rest.count == wanted.count else {
            throw PasswordFailure(
                "after the options come \(wanted.joined(separator: " ")); --help tells more.")
        }
        let path = rest[0]
        if upgrades {
            var editor = try load(path)
            let count = editor.hashPlain { PasswordHash.make($0, recipe) }
            return try save(editor, path, "Hashed \(count) passwords; what was hashed stays as it was.")
        }
        let user = try userName(rest[1])
        var editor = creates ? PasswordFileEditor() : try load(path)
        if deletes {
            guard editor.remove(user) else {
                throw PasswordFailure("User \(user) not found in password file.", isWarning: true)
            }
            return try save(editor, path, "Deleted user \(user).")
        }
        let password = isBatch ? Array(rest[2].utf8) : try PasswordPrompt.askTwice()
        guard !password.isEmpty else { throw PasswordFailure("Empty password.") }
        guard !password.contains(0) else { throw PasswordFailure("A password holds no null character.") }
        let outcome = editor.set(user, PasswordHash.make(password, recipe))
        try save(editor, path, "\(outcome == .added ? "Adding" : "Updating") password for user \(user)")
    }

    private func recipe() throws(PasswordFailure) -> PasswordHash.Recipe {
        if let iterations, !(1...PasswordHash.iterationsMax ~= iterations) {
            throw PasswordFailure("Number of iterations must be 1 to \(PasswordHash.iterationsMax).")
        }
        let pbkdf2 = PasswordHash.Recipe.pbkdf2(iterations: iterations ?? PasswordHash.mosquittoIterations)
        switch hash {
        case .argon2id, .sha512:
            if iterations != nil { throw PasswordFailure("-I is for sha512-pbkdf2 only.") }
            return hash == .sha512 ? .sha512 : .argon2id
        case .pbkdf2: return pbkdf2
        case nil: return ProgramName.called == Self.mosquittoName || iterations != nil ? pbkdf2 : .argon2id
        }
    }

    private func userName(_ text: String) throws(PasswordFailure) -> MQTTString {
        guard !text.utf8.contains(UInt8(ascii: ":")) else {
            throw PasswordFailure("Username must not contain the ':' character.")
        }
        guard !text.isEmpty, !text.hasPrefix("#"), let user = MQTTString(Array(text.utf8)),
            !text.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F }), text.first != " ", text.last != " "
        else {
            throw PasswordFailure(
                "A user name is 1 to 65535 bytes without control characters, does not begin with # and has no space "
                    + "at its ends.")
        }
        return user
    }

    private func load(_ path: String) throws(PasswordFailure) -> PasswordFileEditor {
        do throws(AccessFileError) { return try PasswordFileEditor.load(path, mayCreate: false) } catch {
            throw PasswordFailure("Unable to open password file \(error)")
        }
    }

    private func save(_ editor: PasswordFileEditor, _ path: String, _ done: String) throws(PasswordFailure) {
        if creates, path == "-" { return print(String(decoding: editor.bytes, as: UTF8.self), terminator: "") }
        do throws(AccessFileError) { try editor.write(to: path) } catch {
            throw PasswordFailure("Unable to write password file \(error)")
        }
        print(done)
    }
}

/// Why nothing was changed.
struct PasswordFailure: Error {
    let text: String
    let isWarning: Bool

    init(_ text: String, isWarning: Bool = false) {
        self.text = text
        self.isWarning = isWarning
    }
}

/// A password from whoever sits at the terminal, unseen; or from a pipe.
enum PasswordPrompt {
    static func askTwice() throws(PasswordFailure) -> [UInt8] {
        let first = try ask("Password: ")
        guard !first.isEmpty else { return first }
        guard try ask("Reenter password: ") == first else { throw PasswordFailure("Passwords do not match.") }
        return first
    }

    private static func ask(_ prompt: String) throws(PasswordFailure) -> [UInt8] {
        say(prompt)
        var shown = termios()
        let isTerminal = tcgetattr(STDIN_FILENO, &shown) == 0
        if isTerminal {
            var hidden = shown
            hidden.c_lflag &= ~tcflag_t(ECHO)
            tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden)
        }
        defer {
            if isTerminal { tcsetattr(STDIN_FILENO, TCSANOW, &shown) }
            say("\n")
        }
        var line: [UInt8] = []
        var byte: UInt8 = 0
        while read(STDIN_FILENO, &byte, 1) == 1 {
            if byte == UInt8(ascii: "\n") { return line }
            line.append(byte)
            guard line.count <= 65_535 else { throw PasswordFailure("A password has at most 65535 bytes.") }
        }
        guard !line.isEmpty else { throw PasswordFailure("No password came.") }
        return line
    }

    private static func say(_ text: String) {
        _ = text.utf8.withContiguousStorageIfAvailable { write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }
}
