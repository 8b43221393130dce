#if canImport(Darwin)
import Darwin
#else
import Glibc
#endif

/// The groups that somebody is in over the end of a run: a file with a name a line, per broker host and user. What stands there is
/// rejoined and shown at the next start; nothing else is.
package struct GroupMemory: Sendable, Hashable {
    /// Groups that are read from it at most.
    private static let groupsMax = 1_000

    let path: String

    /// - Parameter folder: made when something is to be remembered.
    /// - Returns: nil where the names make no file name.
    package init?(folder: String, host: String, name: ChatName) {
        let file = "\(name)@\(host).groups"
        guard file.utf8.count <= 255, !file.utf8.contains(UInt8(ascii: "/")) else { return nil }
        path = "\(folder)/\(file)"
    }

    /// Where such files belong: `$XDG_STATE_HOME/martlet/chat`, else `~/.local/state/martlet/chat`.
    package static func folder(_ variable: (String) -> String?) -> String? {
        if let state = variable("XDG_STATE_HOME"), state.hasPrefix("/") { return "\(state)/martlet/chat" }
        return variable("HOME").map { "\($0)/.local/state/martlet/chat" }
    }

    package func read() -> [ChatName] {
        guard let file = fopen(path, "r") else { return [] }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        while bytes.count < Self.groupsMax * (ChatName.bytesMax + 1), case let byte = getc(file), byte != EOF {
            bytes.append(UInt8(truncatingIfNeeded: byte))
        }
        return bytes.split(separator: UInt8(ascii: "\n")).compactMap { try? ChatName(utf8: Array($0)) }
    }

    /// - Returns: false where it could not be written.
    package func write(_ groups: [ChatName]) -> Bool {
        if groups.isEmpty { return unlink(path) == 0 || errno == ENOENT }
        makeFolders()
        let draft = path + ".new"
        let descriptor = open(draft, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        guard descriptor >= 0 else { return false }
        let bytes = groups.flatMap { Array($0.text.utf8) + [UInt8(ascii: "\n")] }
        let written = bytes.withUnsafeBytes { Self.write(descriptor, $0) }
        guard close(descriptor) == 0, written == bytes.count else { return false }
        return rename(draft, path) == 0
    }

    private static func write(_ descriptor: CInt, _ bytes: UnsafeRawBufferPointer) -> Int {
        #if canImport(Darwin)
        Darwin.write(descriptor, bytes.baseAddress, bytes.count)
        #else
        Glibc.write(descriptor, bytes.baseAddress, bytes.count)
        #endif
    }

    private func makeFolders() {
        var folder = ""
        for part in path.split(separator: "/").dropLast() {
            folder += "/\(part)"
            _ = mkdir(folder, 0o700)
        }
    }
}
