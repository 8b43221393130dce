import Glibc
import MQTTClientPKCS11
import MQTTTestKit
import Testing

/// SoftHSM 2: a PKCS#11 module whose tokens lie in a folder. It reads its configuration and looks for tokens once in a
/// process. So all tests of this one share a folder of tokens that were made before, and each takes one that nobody else
/// has; what needs more than that runs `martlet` with a folder of its own.
enum SoftHSM {
    static let path = "/usr/lib/softhsm/libsofthsm2.so"
    static let pin = "4711"

    private static let tokensMax = 40
    private static let taken = Counter()

    /// Where the tokens of this process lie; removed at its end.
    static let folder: String = {
        let folder = makeFolder()
        for number in 1...tokensMax { _ = try? makeToken("token \(number)", in: folder) }
        setenv("SOFTHSM2_CONF", "\(folder)/softhsm2.conf", 1)
        atexit { remove(SoftHSM.folder) }
        return folder
    }()

    static func module() throws -> PKCS11Module {
        _ = folder
        return try PKCS11Module.load(path)
    }

    /// A folder with a configuration and no token.
    static func makeFolder() -> String {
        var template = Array("/tmp/martlet-softhsm-XXXXXX".utf8CString)
        precondition(mkdtemp(&template) != nil, "mkdtemp: errno \(errno)")
        let folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        mkdir("\(folder)/tokens", 0o700)
        write(
            "directories.tokendir = \(folder)/tokens\nobjectstore.backend = file\nlog.level = ERROR\n",
            to: "\(folder)/softhsm2.conf")
        return folder
    }

    static func remove(_ folder: String) { _ = try? run(["/bin/rm", "-rf", folder]) }

    /// The label of a token of this process that no other test has.
    static func freshToken() throws -> String {
        let number = taken.next()
        try #require(number <= tokensMax, "raise tokensMax")
        return "token \(number)"
    }

    /// Makes a token and gives its label.
    @discardableResult
    static func makeToken(_ label: String, in folder: String) throws -> String {
        try run(
            [
                "/usr/bin/env", "SOFTHSM2_CONF=\(folder)/softhsm2.conf", "softhsm2-util", "--init-token", "--free",
                "--label", label, "--so-pin", "12345678", "--pin", pin,
            ])
        return label
    }

    /// A token of its own, ready for use.
    static func token(pin: PINSource? = .value(pin)) throws -> PKCS11Token {
        PKCS11Token(TokenReference(label: try freshToken()), in: try module(), pin: pin)
    }

    /// Runs a command to its end and gives what it printed.
    @discardableResult
    static func run(_ command: [String]) throws -> String {
        let words = command.map { "'" + $0.replacing("'", with: "'\\''") + "'" }.joined(separator: " ")
        let program = try Program([], through: ["/bin/sh", "-c", "exec \(words)"])
        let status = program.exitStatus(withinMilliseconds: 60_000)
        #expect(status == 0, "\(command.joined(separator: " ")): \(program.standardError)")
        return program.standardOutput
    }

    static func write(_ text: String, to path: String, mode: mode_t = 0o600) {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode)
        defer { close(descriptor) }
        let bytes = Array(text.utf8)
        precondition(Glibc.write(descriptor, bytes, bytes.count) == bytes.count, "cannot write \(path)")
    }
}
