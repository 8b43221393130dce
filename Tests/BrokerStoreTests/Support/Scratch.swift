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
