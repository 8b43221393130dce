import Foundation
import Glibc
package import MQTTProtocol

/// Changes one line of a password file and leaves every other byte as it is.
package struct PasswordFileEditor: Sendable {
    package enum Outcome: Equatable, Sendable { case added, updated }

    package private(set) var bytes: [UInt8]

    package init(_ bytes: [UInt8] = []) { self.bytes = bytes }

    /// Gives the user this hash: in the user's line, or in a new one at the end.
    package mutating func set(_ user: MQTTString, _ hash: PasswordHash) -> Outcome {
        let line = user.bytes + [UInt8(ascii: ":")] + Array(hash.text.utf8) + [UInt8(ascii: "\n")]
        guard let range = lines().first(where: { name(of: $0) == user.bytes }) else {
            if let last = bytes.last, last != UInt8(ascii: "\n") { bytes.append(UInt8(ascii: "\n")) }
            bytes += line
            return .added
        }
        bytes.replaceSubrange(range, with: line)
        return .updated
    }

    /// Takes the user's line out; false where there is none.
    package mutating func remove(_ user: MQTTString) -> Bool {
        guard let range = lines().first(where: { name(of: $0) == user.bytes }) else { return false }
        bytes.removeSubrange(range)
        return true
    }

    /// Hashes every password that stands there plain; those that are hashes stay. Returns how many it hashed. What comes out is
    /// a file that the broker reads, or nothing is changed.
    /// - Parameter path: the file, for what is wrong in it.
    package mutating func hashPlain(
        path: String, _ make: (_ password: [UInt8]) -> PasswordHash
    ) throws(AccessFileError) -> Int {
        var count = 0
        var upgraded: [UInt8] = []
        for (index, range) in lines().enumerated() {
            func fail(_ reason: String) -> AccessFileError {
                AccessFileError(file: path, line: index + 1, reason: reason)
            }
            let line = bytes[range]
            guard let name = name(of: range), let colon = line.firstIndex(of: UInt8(ascii: ":")) else {
                upgraded += line
                continue
            }
            var password = line[(colon + 1)...]
            while let last = password.last, last == 0x0A || last == 0x0D { password.removeLast() }
            let user = MQTTString(name)?.description ?? "?"
            guard !name.isEmpty else { throw fail("a password without a user name") }
            guard !password.isEmpty else { throw fail("user \(user) has no password") }
            let hash = String(decoding: PasswordFile.hash(in: password), as: UTF8.self)
            guard PasswordHash(hash) == nil else {
                upgraded += line
                continue
            }
            // Hashed once more, nobody would come in by the password that it once was.
            guard !PasswordHash.isDamaged(hash) else { throw fail("the hash of \(user) is damaged: set it anew") }
            upgraded += name + [UInt8(ascii: ":")] + Array(make(Array(password)).text.utf8) + [UInt8(ascii: "\n")]
            count += 1
        }
        _ = try PasswordFile(SecretFile(path: path, bytes: upgraded, remarks: []))
        bytes = upgraded
        return count
    }

    /// Each line with its end.
    private func lines() -> [Range<Int>] {
        var ranges: [Range<Int>] = []
        var start = 0
        while start < bytes.count {
            let end = bytes[start...].firstIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? bytes.count
            ranges.append(start..<end)
            start = end
        }
        return ranges
    }

    /// The user a line is about; nil = a comment, or nothing.
    private func name(of range: Range<Int>) -> [UInt8]? {
        let line = bytes[range]
        guard line.first != UInt8(ascii: "#"), let colon = line.firstIndex(of: UInt8(ascii: ":")) else { return nil }
        return Array(SecretFile.trimmed(line[line.startIndex..<colon]))
    }

    // MARK: The file

    /// Reads a file to change it.
    package static func load(_ path: String) throws(AccessFileError) -> PasswordFileEditor {
        PasswordFileEditor(try SecretFile.read(path, isSecret: true).bytes)
    }

    package enum Writing: Equatable, Sendable {
        case done
        /// Everybody could read the file before.
        case closedToOthers
    }

    /// Writes the file in one step: whoever reads it meanwhile, or after a crash, finds the old one or the new one whole.
    /// A new file is 0600; one that was there keeps owner and rights, but nobody else may read it any more.
    @discardableResult
    package func write(to path: String) throws(AccessFileError) -> Writing {
        func fail(_ what: String) -> AccessFileError {
            AccessFileError(file: path, line: nil, reason: "\(what): \(String(cString: strerror(errno)))")
        }
        var old = stat()
        let isThere = lstat(path, &old) == 0
        guard !isThere || old.st_mode & S_IFMT == S_IFREG else {
            throw AccessFileError(file: path, line: nil, reason: "it is no plain file")
        }
        let temporary = "\(path).\(getpid()).new"
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw fail("cannot write beside it") }
        defer { close(descriptor) }
        do throws(AccessFileError) {
            if isThere {
                // Owner first: it may clear rights. Who is not root cannot give files away, and need not.
                _ = fchown(descriptor, old.st_uid, old.st_gid)
                guard fchmod(descriptor, old.st_mode & 0o770) == 0 else { throw fail("cannot set its rights") }
            }
            var at = 0
            while at < bytes.count {
                let n = bytes[at...].withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
                if n < 0, errno == EINTR { continue }
                guard n > 0 else { throw fail("cannot write it") }
                at += n
            }
            guard fsync(descriptor) == 0, rename(temporary, path) == 0 else { throw fail("cannot put it in place") }
        } catch {
            unlink(temporary)
            throw error
        }
        return isThere && old.st_mode & 0o004 != 0 ? .closedToOthers : .done
    }
}
