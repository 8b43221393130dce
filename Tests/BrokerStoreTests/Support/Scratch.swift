import Glibc
import Testing

/// A folder of a test's own, gone with it.
final class Scratch: Sendable {
    let directory: String

    init() throws {
        var template = Array("/tmp/martlet-store-XXXXXX".utf8CString)
        try #require(mkdtemp(&template) != nil, "mkdtemp: errno \(errno)")
        directory = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// Whether this process may mount file systems: root of a machine may, root of most containers may not.
    static let mayMount: Bool = {
        guard geteuid() == 0, let scratch = try? Scratch() else { return false }
        guard mount("tmpfs", scratch.directory, "tmpfs", 0, "size=64k") == 0 else { return false }
        return umount2(scratch.directory, Int32(MNT_DETACH)) == 0
    }()

    deinit {
        guard let folder = opendir(directory) else { return }
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            unlink("\(directory)/\(name)")
        }
        closedir(folder)
        rmdir(directory)
    }

    /// Writes a file, or writes it anew, and returns its path.
    @discardableResult
    func write(_ bytes: [UInt8], _ name: String = "mosquitto.db") throws -> String {
        let path = "\(directory)/\(name)"
        let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        defer { close(descriptor) }
        try #require(Glibc.write(descriptor, bytes, bytes.count) == bytes.count, "cannot write \(path): errno \(errno)")
        return path
    }
}
