#if canImport(Darwin)
import Darwin
#elseif canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Files that hold keys and certificates: written whole or not at all, and readable by those who should.
package enum SecureFile {
    package struct Fault: Error, Equatable, Sendable, CustomStringConvertible {
        package let path: String
        package let reason: String
        package init(path: String, reason: String) { (self.path, self.reason) = (path, reason) }
        package var description: String { "\(path): \(reason)" }
    }

    package static let secret: UInt32 = 0o600
    package static let open: UInt32 = 0o644

    package static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

    package static func read(_ path: String, bytesMax: Int = 16 * 1024 * 1024) throws(Fault) -> [UInt8] {
        let descriptor = openDescriptor(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw fault(path) }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 64 * 1024)
        while true {
            let count = readDescriptor(descriptor, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw fault(path) }
            if count == 0 { return bytes }
            bytes += chunk[..<count]
            guard bytes.count <= bytesMax else { throw Fault(path: path, reason: "larger than \(bytesMax) bytes") }
        }
    }

    /// A new file beside it, on the disk, then in its place: a reader sees the old one or the new one, and a key is
    /// never readable by others, not even for a moment.
    package static func write(_ bytes: [UInt8], to path: String, mode: UInt32) throws(Fault) {
        let temporary = "\(path).new-\(getpid())"
        unlink(temporary)
        let descriptor = openDescriptor(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode_t(mode))
        guard descriptor >= 0 else { throw fault(path) }
        var isDone = false
        defer { if !isDone { unlink(temporary) } }
        var start = 0
        while start < bytes.count {
            let count = bytes[start...].withUnsafeBytes { writeDescriptor(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else {
                let failure = fault(path)
                close(descriptor)
                throw failure
            }
            start += count
        }
        // The mask of the process may have taken bits away that others need.
        guard fchmod(descriptor, mode_t(mode)) == 0, fsync(descriptor) == 0 else {
            let failure = fault(path)
            close(descriptor)
            throw failure
        }
        close(descriptor)
        guard rename(temporary, path) == 0 else { throw fault(path) }
        isDone = true
    }

    package static func write(_ text: String, to path: String, mode: UInt32) throws(Fault) {
        try write(Array(text.utf8), to: path, mode: mode)
    }

    private static func fault(_ path: String) -> Fault { Fault(path: path, reason: String(cString: strerror(errno))) }
}

// The system's calls, where `SecureFile` has methods of the same name.
private func openDescriptor(_ path: String, _ flags: Int32, _ mode: mode_t = 0) -> Int32 { open(path, flags, mode) }
private func readDescriptor(_ descriptor: Int32, _ bytes: UnsafeMutableRawPointer, _ count: Int) -> Int {
    read(descriptor, bytes, count)
}
private func writeDescriptor(_ descriptor: Int32, _ bytes: UnsafeRawPointer?, _ count: Int) -> Int {
    write(descriptor, bytes, count)
}

/// OpenSSL's `ca.srl`: the serial number that was given last, one line of hexadecimal. Either program may go on where
/// the other stopped.
package enum SerialFile {
    /// `ca.crt` → `ca.srl`
    package static func path(forAuthority path: String) -> String {
        let slash = path.lastIndex(of: "/") ?? path.startIndex
        guard let dot = path.lastIndex(of: "."), dot > slash else { return path + ".srl" }
        return path[..<dot] + ".srl"
    }

    /// Counts on from the file, or begins at random where there is none.
    package static func take(_ path: String, using generator: inout some RandomNumberGenerator) throws -> [UInt8] {
        // No two certificates of an authority have the same number, whoever else is signing.
        let lock = try FolderLock(of: path)
        defer { extendLifetime(lock) }
        var last = CertificateDraft.randomSerialNumber(using: &generator)
        if SecureFile.exists(path) {
            let text = String(decoding: try SecureFile.read(path, bytesMax: 4096), as: UTF8.self)
            guard let read = SerialNumber.parse(text), read.count <= 19 else {
                throw SecureFile.Fault(path: path, reason: "no serial number in hexadecimal, as OpenSSL writes it")
            }
            last = read
        }
        let next = SerialNumber.next(after: last)
        try SecureFile.write(SerialNumber.text(next) + "\n", to: path, mode: SecureFile.open)
        return next
    }
}
