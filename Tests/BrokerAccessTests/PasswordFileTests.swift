import Glibc
import MQTTProtocol
import SeededRandom
import Testing

@testable import BrokerAccess

@Suite("Password files")
struct PasswordFileTests {
    static let hash = PasswordHash.make(Array("p".utf8), .pbkdf2(iterations: 2)).text

    static func read(_ text: String) throws(AccessFileError) -> PasswordFile {
        try PasswordFile(SecretFile(path: "pw", bytes: Array(text.utf8), remarks: []))
    }

    @Test("Comments, empty lines, lines without a colon, blanks, a third field")
    func grammar() throws {
        let file = try Self.read("# users\n\n  alice  :  \(Self.hash)  \nnobody\n b c:\(Self.hash):extra\r\n#x:y\n")
        #expect(Set(file.hashes.keys) == ["alice", "b c"])
        #expect(try Self.read("").hashes.isEmpty)
        #expect(try Self.read("alice:\(Self.hash)").hashes.count == 1)
    }

    @Test(
        "What is wrong says where",
        arguments: [
            ("alice:plain\n", 1), ("# c\n\n:\(hash)\n", 3), ("a:\(hash)\nb:\(hash)\na:\(hash)\n", 3), ("a:\n", 1),
            ("a\tb:\(hash)", 1), (" #x:y", 1),
        ])
    func errors(_ text: String, _ line: Int) {
        let error = #expect(throws: AccessFileError.self) { try Self.read(text) }
        #expect(error?.line == line)
        #expect(error?.description.hasPrefix("pw:\(line): ") == true)
        #expect(error?.description.contains("plain\n") == false)
    }

    @Test("Any bytes end in a file or an error")
    func noise() {
        var random = SeededGenerator(seed: 2)
        let pieces = [
            "alice", ":", "$7$", "$6$", "\n", "#", " ", "\0", "é", Self.hash, "\u{FF}", "$argon2id$v=19$m=64,",
        ]
        for _ in 0..<3_000 {
            var bytes: [UInt8] = []
            for _ in 0..<random.below(12) {
                bytes += Array(random.pick(pieces).utf8)
                if random.below(8) == 0 { bytes.append(UInt8(truncatingIfNeeded: random.next())) }
            }
            let file = try? PasswordFile(SecretFile(path: "pw", bytes: bytes, remarks: []))
            #expect(file.map { $0.hashes.count < 13 } ?? true)
        }
    }

    @Test("Others may read it: a warning. A link: refused, unless the environment says otherwise")
    func onDisk() throws {
        let folder = try Folder()
        let path = try folder.write("a:\(Self.hash)\n", to: "pw")
        #expect(try PasswordFile.load(path).remarks.isEmpty)
        chmod(path, 0o644)
        #expect(try PasswordFile.load(path).remarks.count == 1)
        symlink(path, "\(folder.path)/link")
        let error = #expect(throws: AccessFileError.self) { try PasswordFile.load("\(folder.path)/link") }
        #expect(error?.reason.contains("symbolic link") == true)
        #expect(throws: AccessFileError.self) { try PasswordFile.load(folder.path) }
        #expect(throws: AccessFileError.self) { try PasswordFile.load("\(folder.path)/none") }
    }

    // MARK: Changing one

    @Test("One line changes, every other byte stays")
    func editing() throws {
        let text = "# my users\r\nalice:old\n\n  bob : \(Self.hash)\nnocolon"
        var editor = PasswordFileEditor(Array(text.utf8))
        let hash = try #require(PasswordHash(Self.hash))
        #expect(editor.set("bob", hash) == .updated)
        #expect(editor.set("carol", hash) == .added)
        #expect(
            String(decoding: editor.bytes, as: UTF8.self)
                == "# my users\r\nalice:old\n\nbob:\(Self.hash)\nnocolon\ncarol:\(Self.hash)\n")
        #expect(editor.remove("alice") && !editor.remove("alice") && !editor.remove("# my users"))
        #expect(
            String(decoding: editor.bytes, as: UTF8.self)
                == "# my users\r\n\nbob:\(Self.hash)\nnocolon\ncarol:\(Self.hash)\n")
    }

    @Test("-U hashes what is plain and leaves what is hashed")
    func upgrading() throws {
        var editor = PasswordFileEditor(Array("# c\na:secret with $\nb:\(Self.hash)\nd:x:y".utf8))
        #expect(try editor.hashPlain(path: "pw") { PasswordHash.make($0, .pbkdf2(iterations: 2)) } == 2)
        let lines = String(decoding: editor.bytes, as: UTF8.self).split(separator: "\n").map(String.init)
        let file = try Self.read(lines.joined(separator: "\n"))
        #expect(file.hashes["a"]?.verify(Array("secret with $".utf8)) == true)
        #expect(file.hashes["d"]?.verify(Array("x:y".utf8)) == true)
        #expect(lines[2] == "b:\(Self.hash)")
        var again = editor
        #expect(try again.hashPlain(path: "pw") { PasswordHash.make($0, .sha512) } == 0)
        #expect(again.bytes == editor.bytes)
    }

    @Test(
        "-U makes a file that the broker reads, or changes nothing: a damaged hash is not hashed once more",
        arguments: [
            "b:$7$101$c2hvcnQ=$eA==", "b:$6$broken", "b:$argon2i$v=19$m=1", "b:", ":x", "a:again", "\u{1}:x",
        ])
    func notUpgraded(_ line: String) throws {
        var editor = PasswordFileEditor(Array("a:plain\n\(line)\n".utf8))
        let old = editor.bytes
        let error = #expect(throws: AccessFileError.self) {
            try editor.hashPlain(path: "pw") { PasswordHash.make($0, .pbkdf2(iterations: 1)) }
        }
        #expect(error?.line == 2 && editor.bytes == old)
    }

    @Test("A damaged hash is not called a plain password")
    func damaged() throws {
        let error = #expect(throws: AccessFileError.self) { try Self.read("a:\(Self.hash.dropLast(8))\n") }
        #expect(error?.reason.contains("damaged") == true && error?.reason.contains("-U") == false)
    }

    @Test("A new file is 0600; one that was there keeps its rights, but not those of others")
    func writing() throws {
        let folder = try Folder()
        let path = "\(folder.path)/pw"
        var editor = PasswordFileEditor()
        _ = editor.set("a", try #require(PasswordHash(Self.hash)))
        try editor.write(to: path)
        func rights() -> mode_t {
            var status = stat()
            stat(path, &status)
            return status.st_mode & 0o7777
        }
        #expect(rights() == 0o600)
        chmod(path, 0o644)
        try editor.write(to: path)
        #expect(rights() == 0o640)
        #expect(try PasswordFile.load(path).hashes.count == 1)
        #expect(throws: AccessFileError.self) { try editor.write(to: folder.path) }
    }
}
