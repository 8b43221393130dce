#if canImport(Darwin)
import Darwin
#elseif canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Keeps a folder's files to one of these programs while it reads one, changes it and puts it in place: of two that do so at
/// the same time, the later would undo what the earlier did. Let go when it is given up, or the process ends.
package struct FolderLock: ~Copyable {
    private let descriptor: Int32

    /// Others are waited for at most so long; what they do takes milliseconds.
    package static let secondsMax = 30
    private static let pauseMicroseconds: UInt32 = 10_000

    /// - Parameter path: a file in the folder, there or not.
    package init(of path: String) throws(SecureFile.Fault) {
        let folder = path.lastIndex(of: "/").map { path[...$0] } ?? "."
        descriptor = openDescriptor(String(folder))
        guard descriptor >= 0 else {
            // A folder that may be written but not read, or none at all: the writing tells more.
            return
        }
        for _ in 0..<(FolderLock.secondsMax * 1_000_000 / Int(FolderLock.pauseMicroseconds)) {
            if flock(descriptor, LOCK_EX | LOCK_NB) == 0 { return }
            // A file system without locks: better without than not at all.
            guard errno == EWOULDBLOCK || errno == EINTR else { return }
            usleep(FolderLock.pauseMicroseconds)
        }
        close(descriptor)
        throw SecureFile.Fault(
            path: path, reason: "another program has been changing files of this folder for \(FolderLock.secondsMax) s")
    }

    deinit { if descriptor >= 0 { close(descriptor) } }
}

private func openDescriptor(_ path: String) -> Int32 { open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
