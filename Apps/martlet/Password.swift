import ArgumentParser
import BrokerAccess
import Certificates
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

            Exit status: 0 done, 1 not, 64 the command line is wrong (1 as mosquitto_passwd).
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
        let arguments = try arguments()
        do throws(PasswordFailure) {
            try work(arguments)
        } catch {
            Terminal.complain("\(error.isWarning ? "Warning" : "Error"): \(error.text)")
            throw ExitCode(1)
        }
    }

    /// FILE, USER and PASSWORD, as many of them as there should be. What stands behind the options comes here unread, `--help`
    /// and options that nobody knows too.
    private func arguments() throws -> [String] {
        for (one, other, what) in [
            (creates, deletes, "-c and -D"), (creates, upgrades, "-c and -U"), (deletes, upgrades, "-D and -U"),
            (isBatch, deletes, "-b and -D"),
        ] where one && other { throw ValidationError("\(what) cannot be used together.") }
        var rest = rest
        switch rest.first {
        case "--": rest.removeFirst()
        case "-h", "--help": throw CleanExit.helpRequest(Self.self)
        case "--version": throw CleanExit.message(Martlet.configuration.version)
        case let word? where word.hasPrefix("-") && word != "-": throw ValidationError("Unknown option '\(word)'.")
        default: break
        }
        let wanted = upgrades ? ["FILE"] : isBatch ? ["FILE", "USER", "PASSWORD"] : ["FILE", "USER"]
        guard rest.count == wanted.count else {
            throw ValidationError("After the options come \(wanted.joined(separator: " ")), and nothing else.")
        }
        return rest
    }

    private func work(_ arguments: [String]) throws(PasswordFailure) {
        let recipe = try recipe()
        let path = arguments[0]
        if upgrades { return try change(path) { editor throws(PasswordFailure) in try upgrade(&editor, path, recipe) } }
        let user = try userName(arguments[1])
        if deletes {
            return try change(path) { editor throws(PasswordFailure) in
                guard editor.remove(user) else {
                    throw PasswordFailure("User \(user) not found in password file.", isWarning: true)
                }
                return "Deleted user \(user)."
            }
        }
        // Told before the question, not after it.
        if !creates { _ = try load(path) }
        let password = isBatch ? Self.lastArgument() : try PasswordPrompt.askTwice()
        guard !password.isEmpty else { throw PasswordFailure("Empty password.") }
        guard !password.contains(0) else { throw PasswordFailure("A password holds no null character.") }
        let hash = PasswordHash.make(password, recipe)
        try change(path) { editor throws(PasswordFailure) in
            "\(editor.set(user, hash) == .added ? "Adding" : "Updating") password for user \(user)"
        }
    }

    /// The password as it was given: it need not be UTF-8.
    private static func lastArgument() -> [UInt8] {
        guard let last = CommandLine.unsafeArgv[Int(CommandLine.argc) - 1] else { return [] }
        return UnsafeBufferPointer(start: last, count: strlen(last)).map { UInt8(bitPattern: $0) }
    }

    private func upgrade(
        _ editor: inout PasswordFileEditor, _ path: String, _ recipe: PasswordHash.Recipe
    ) throws(PasswordFailure) -> String {
        do throws(AccessFileError) {
            let count = try editor.hashPlain(path: path) { PasswordHash.make($0, recipe) }
            return "Hashed \(count) \(count == 1 ? "password" : "passwords"); what was hashed stays as it was."
        } catch {
            throw PasswordFailure("Nothing was changed: \(error)")
        }
    }

    /// Reads the file, changes it and puts it in place, while no other of these programs does.
    /// - Parameter body: says what it did.
    private func change(
        _ path: String, _ body: (inout PasswordFileEditor) throws(PasswordFailure) -> String
    ) throws(PasswordFailure) {
        if creates, path == "-" {
            var editor = PasswordFileEditor()
            _ = try body(&editor)
            return print(String(decoding: editor.bytes, as: UTF8.self), terminator: "")
        }
        let lock = try lock(path)
        defer { extendLifetime(lock) }
        var editor = creates ? PasswordFileEditor() : try load(path)
        let done = try body(&editor)
        do throws(AccessFileError) {
            let outcome = try editor.write(to: path)
            print(done)
            if outcome == .closedToOthers {
                Terminal.complain(
                    "Note: everybody could read \(path), now its owner and group can. A broker of another user needs: "
                        + "chown or chgrp.")
            }
        } catch {
            throw PasswordFailure("Unable to write password file \(error)")
        }
    }

    private func lock(_ path: String) throws(PasswordFailure) -> FolderLock {
        do throws(SecureFile.Fault) { return try FolderLock(of: path) } catch {
            throw PasswordFailure("Unable to write password file \(error)")
        }
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
        // What was no UTF-8 has become this sign before it came here.
        guard !text.unicodeScalars.contains("\u{FFFD}") else {
            throw PasswordFailure("The user name is no UTF-8 text.")
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
        do throws(AccessFileError) { return try PasswordFileEditor.load(path) } catch {
            let isMissing = access(path, F_OK) != 0 && errno == ENOENT
            throw PasswordFailure(
                "Unable to open password file \(error)"
                    + (isMissing && !upgrades && !deletes ? "; -c makes a new one" : ""))
        }
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
        if isatty(STDIN_FILENO) == 1 {
            guard let typed = Terminal.askSecretly(prompt) else { throw PasswordFailure("No password came.") }
            return typed
        }
        say(prompt)
        defer { say("\n") }
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
