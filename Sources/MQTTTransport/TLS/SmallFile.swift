#if canImport(Darwin)
import Darwin
#elseif canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Reading whole files that settings name.
enum SmallFile {
    /// Bytes of a certificate, key or list of them; Debian's bundle of every public authority has a quarter of a megabyte.
    static let bytesMax = 16 * 1024 * 1024

    /// What the file holds. A fault names `key`, so that nobody has to guess which of eight paths was meant.
    /// - Parameter patience: milliseconds in which a pipe has to bring something. A shell's `<(…)` does; one that stands in a
    ///   file's place, and into which nobody writes, would hold up whoever reads it for ever.
    static func read(_ path: String, key: String, patience: CInt = 5_000) throws(SettingFault) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw SettingFault(key: key, value: path, reason: reason(errno)) }
        defer { close(descriptor) }
        var status = stat()
        let isFile = fstat(descriptor, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
        var bytes: [UInt8] = []
        var portion = [UInt8](repeating: 0, count: 65_536)
        while true {
            if !isFile {
                var wanted = pollfd(fd: descriptor, events: CShort(POLLIN), revents: 0)
                guard poll(&wanted, 1, patience) != 0 else {
                    throw SettingFault(key: key, value: path, reason: "it is no file, and nothing comes from it")
                }
            }
            let count = systemRead(descriptor, &portion, portion.count)
            if count < 0, errno == EINTR || errno == EAGAIN { continue }
            guard count >= 0 else { throw SettingFault(key: key, value: path, reason: reason(errno)) }
            if count == 0 { return bytes }
            bytes += portion[..<count]
            guard bytes.count <= bytesMax else {
                throw SettingFault(key: key, value: path, reason: "it has more than \(bytesMax) bytes")
            }
        }
    }

    /// Faults where others than the owner may read the file: it holds a secret.
    static func requirePrivate(_ path: String, key: String) throws(SettingFault) {
        var status = stat()
        guard stat(path, &status) == 0 else { throw SettingFault(key: key, value: path, reason: reason(errno)) }
        guard status.st_mode & 0o077 == 0 else {
            throw SettingFault(
                key: key, value: path, reason: "others than its owner may read it; `chmod 600 \(path)` keeps it secret")
        }
    }

    /// Whether whoever has an account here may read it; false where it is not there.
    static func isReadableByAll(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IROTH != 0
    }

    /// Names of the files in a folder, in the order of their bytes.
    static func names(in folder: String, key: String) throws(SettingFault) -> [String] {
        guard let stream = opendir(folder) else {
            throw SettingFault(key: key, value: folder, reason: reason(errno))
        }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            names.append(
                withUnsafePointer(to: &entry.pointee.d_name) { name in
                    name.withMemoryRebound(to: CChar.self, capacity: Int(NAME_MAX) + 1) { String(cString: $0) }
                })
        }
        return names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }

    static func reason(_ code: CInt) -> String {
        switch code {
        case ENOENT: "there is no such file"
        case EACCES: "this user may not read it"
        default: String(cString: strerror(code))
        }
    }
}
