import Glibc

/// The bytes of a file that holds secrets, or decides about them.
package struct SecretFile: Sendable {
    package let path: String
    package let bytes: [UInt8]
    package let remarks: [AccessRemark]

    /// A file with so many users would not be served in time either.
    static let bytesMax = 256 << 20
    /// The longest user name, hash and filter fit.
    static let lineBytesMax = 200_000

    /// Reads a file whole. A symbolic link is not followed, as in mosquitto 2.1.1: whoever may write in the folder could
    /// point it elsewhere. `MOSQUITTO_UNSAFE_ALLOW_SYMLINKS` in the environment allows it, for systems that place secrets
    /// so.
    /// - Parameter isSecret: others than owner and group should not be able to read it.
    package static func read(_ path: String, isSecret: Bool) throws(AccessFileError) -> SecretFile {
        func fail(_ reason: String) -> AccessFileError { AccessFileError(file: path, line: nil, reason: reason) }
        let follows = getenv("MOSQUITTO_UNSAFE_ALLOW_SYMLINKS") != nil
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | (follows ? 0 : O_NOFOLLOW))
        guard descriptor >= 0 else {
            if errno == ELOOP {
                throw fail(
                    "it is a symbolic link. Name the file itself, or start with MOSQUITTO_UNSAFE_ALLOW_SYMLINKS=1.")
            }
            throw fail("cannot read it: \(String(cString: strerror(errno)))")
        }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            throw fail("it is not a regular file")
        }
        guard status.st_size <= bytesMax else { throw fail("it is larger than \(bytesMax) bytes") }
        let bytes = try readAll(descriptor, fail)
        var remarks: [AccessRemark] = []
        if isSecret, status.st_mode & S_IROTH != 0 {
            remarks.append(
                AccessRemark(file: path, line: nil, text: "everybody on this machine can read it: chmod 0640 \(path)"))
        }
        return SecretFile(path: path, bytes: bytes, remarks: remarks)
    }

    private static func readAll(
        _ descriptor: Int32, _ fail: (String) -> AccessFileError
    ) throws(AccessFileError) -> [UInt8] {
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 65_536)
        while true {
            let n = Glibc.read(descriptor, &piece, piece.count)
            if n < 0, errno == EINTR { continue }
            guard n >= 0 else { throw fail("cannot read it: \(String(cString: strerror(errno)))") }
            if n == 0 { return bytes }
            bytes += piece[..<n]
            // It may grow while it is read.
            guard bytes.count <= bytesMax else { throw fail("it is larger than \(bytesMax) bytes") }
        }
    }

    /// The lines with their numbers, from 1: without `\n`, white space at the end, and comments; empty ones left out. A `#`
    /// is a comment only as a line's first byte.
    func forEachLine<E: Error>(_ body: (_ number: Int, _ line: ArraySlice<UInt8>) throws(E) -> Void) throws(E) {
        var number = 0
        var rest = bytes[...]
        while !rest.isEmpty {
            number += 1
            let end = rest.firstIndex(of: UInt8(ascii: "\n")) ?? rest.endIndex
            var line = rest[rest.startIndex..<end]
            rest = end == rest.endIndex ? [] : rest[(end + 1)...]
            while let last = line.last, SecretFile.isSpace(last) { line.removeLast() }
            guard let first = line.first, first != UInt8(ascii: "#") else { continue }
            try body(number, line)
        }
    }

    /// C's `isspace`.
    static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || 0x09...0x0D ~= byte }

    static func trimmed(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        var bytes = bytes
        while let first = bytes.first, isSpace(first) { bytes.removeFirst() }
        while let last = bytes.last, isSpace(last) { bytes.removeLast() }
        return bytes
    }
}
