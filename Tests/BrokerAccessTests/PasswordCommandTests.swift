import Foundation
import Testing

@testable import BrokerAccess

/// `martlet passwd`, and the program under mosquitto's name.
@Suite("passwd", .blocking)
struct PasswordCommandTests {
    /// The program beside the test bundle.
    private static var program: String {
        let executable = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        return executable.deletingLastPathComponent().appendingPathComponent("martlet").path
    }

    private func hash(_ folder: Folder, _ file: String, _ user: String) throws -> PasswordHash? {
        let text = try folder.read(file)
        let line = text.split(separator: "\n").first { $0.hasPrefix("\(user):") }
        return line.flatMap { PasswordHash(String($0.dropFirst(user.count + 1))) }
    }

    @Test("MQ-11 Under mosquitto's name it writes what mosquitto_passwd 2.0 writes")
    func alias() throws {
        let folder = try Folder()
        let alias = "\(folder.path)/mosquitto_passwd"
        try FileManager.default.createSymbolicLink(atPath: alias, withDestinationPath: Self.program)
        #expect(try folder.run(alias, ["-c", "-b", "pw", "alice", "-dash"]).status == 0)
        let made = try #require(try hash(folder, "pw", "alice"))
        #expect(made.text.hasPrefix("$7$101$") && made.text.split(separator: "$")[2].count == 16)
        #expect(made.verify(Array("-dash".utf8)))
        #expect(try folder.run(alias, ["-H", "sha512", "-b", "pw", "bob", "x"]).status == 0)
        #expect(try hash(folder, "pw", "bob")?.text.hasPrefix("$6$") == true)
        // Debian's tool goes on with the file.
        if FileManager.default.isExecutableFile(atPath: "/usr/bin/mosquitto_passwd") {
            #expect(try folder.run("/usr/bin/mosquitto_passwd", ["-b", "pw", "alice", "new"]).status == 0)
            #expect(try hash(folder, "pw", "alice")?.verify(Array("new".utf8)) == true)
        }
        for wrong in [
            [], ["-c", "-D", "pw", "x"], ["-b", "-D", "pw", "x"], ["-D", "pw", "nobody"], ["-b", "none", "u", "p"],
            ["-b", "pw", "a:b", "p"], ["-b", "pw", "a"], ["-Z"], ["-I", "0", "-b", "pw", "u", "p"],
        ] {
            #expect(try folder.run(alias, wrong).status == 1, "\(wrong)")
        }
    }

    @Test("Under its own name: argon2id, or PBKDF2 with -I; mode 0600; -D; -U; -c -")
    func own() throws {
        let folder = try Folder()
        func passwd(_ arguments: String..., input: String = "") throws -> (
            status: Int32, output: String, errors: String
        ) {
            try folder.run(Self.program, ["passwd"] + arguments, input: input)
        }
        #expect(try passwd("-c", "-b", "pw", "alice", "secret").status == 0)
        #expect(try hash(folder, "pw", "alice")?.text.hasPrefix("$argon2id$v=19$m=47104,t=1,p=1$") == true)
        #expect(try hash(folder, "pw", "alice")?.verify(Array("secret".utf8)) == true)
        let rights = try FileManager.default.attributesOfItem(atPath: "\(folder.path)/pw")[.posixPermissions] as? Int
        #expect(rights == 0o600)
        #expect(try passwd("-I", "5000", "-b", "pw", "bob", "secret").status == 0)
        #expect(try hash(folder, "pw", "bob")?.text.hasPrefix("$7$5000$") == true)
        #expect(try passwd("-D", "pw", "alice").status == 0)
        #expect(try folder.read("pw").split(separator: "\n").count == 1)
        try folder.write("x:plain\n# c\n", to: "plain")
        #expect(try passwd("-U", "plain").status == 0)
        #expect(try hash(folder, "plain", "x")?.verify(Array("plain".utf8)) == true)
        let shown = try passwd("-c", "-b", "-", "u", "p")
        #expect(shown.output.hasPrefix("u:$argon2id$"))
    }

    @Test("The password is asked for twice and never said")
    func prompt() throws {
        let folder = try Folder()
        let good = try folder.run(Self.program, ["passwd", "-c", "pw", "u"], input: "hidden\nhidden\n")
        #expect(good.status == 0)
        #expect(try hash(folder, "pw", "u")?.verify(Array("hidden".utf8)) == true)
        let bad = try folder.run(Self.program, ["passwd", "pw", "u"], input: "hidden\nhiden\n")
        #expect(bad.status == 1 && bad.errors.contains("do not match"))
        #expect(try folder.run(Self.program, ["passwd", "pw", "u"], input: "\n\n").status == 1)
        #expect(try folder.run(Self.program, ["passwd", "pw", "u"], input: "").status == 1)
        for said in [good, bad] { #expect(!(said.output + said.errors).contains("hid")) }
    }

    @Test("--help and --version where people try them; what is wrong on the command line is named")
    func asked() throws {
        let folder = try Folder()
        let alias = "\(folder.path)/mosquitto_passwd"
        try FileManager.default.createSymbolicLink(atPath: alias, withDestinationPath: Self.program)
        for word in ["-h", "--help"] {
            let ours = try folder.run(Self.program, ["passwd", word])
            #expect(ours.status == 0 && ours.output.contains("USAGE: martlet passwd"), "\(word)")
            let theirs = try folder.run(alias, [word])
            #expect(theirs.status == 0 && theirs.output.contains("-b FILE USER PASSWORD"), "\(word)")
        }
        #expect(try folder.run(Self.program, ["passwd", "--version"]).output.hasPrefix("martlet "))
        let unknown = try folder.run(Self.program, ["passwd", "-x", "pw", "u"])
        #expect(unknown.status == 64 && unknown.errors.contains("Unknown option '-x'"))
        #expect(try folder.run(Self.program, ["passwd", "pw"]).status == 64)
        let missing = try folder.run(Self.program, ["passwd", "-b", "pw", "u", "p"])
        #expect(missing.status == 1 && missing.errors.contains("-c makes a new one"))
        #expect(try folder.run(Self.program, ["passwd", "-c", "-b", "--", "pw", "u", "-dash"]).status == 0)
        #expect(try hash(folder, "pw", "u")?.verify(Array("-dash".utf8)) == true)
    }

    @Test("Many that change one file at the same time lose nobody")
    func together() async throws {
        let folder = try Folder()
        try folder.write("", to: "pw")
        let path = "\(folder.path)/pw"
        let users = (0..<12).map { "user\($0)" }
        let program = Self.program
        let processes = try users.map { user in
            let process = Process()
            process.executableURL = URL(fileURLWithPath: program)
            process.arguments = ["passwd", "-I", "1", "-b", path, user, "p"]
            process.standardOutput = FileHandle.nullDevice
            try process.run()
            return process
        }
        for process in processes { process.waitUntilExit() }
        let file = try PasswordFile.load(path)
        #expect(file.hashes.count == users.count)
    }

    @Test("Who may read the file no more is told of")
    func closed() throws {
        let folder = try Folder()
        let file = try folder.write("", to: "pw")
        try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: file)
        let first = try folder.run(Self.program, ["passwd", "-I", "1", "-b", "pw", "u", "p"])
        #expect(first.status == 0 && first.errors.contains("everybody could read pw"))
        #expect(try folder.run(Self.program, ["passwd", "-I", "1", "-b", "pw", "u", "q"]).errors == "")
    }
}
