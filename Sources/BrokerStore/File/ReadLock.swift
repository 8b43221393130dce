import Foundation
import Glibc
import Synchronization

/// Keeps others from writing to a store while somebody looks at it, the way SQLite's own readers do: a shared lock on the bytes that
/// a writer locks for itself. It belongs to this opening of the file, not to the process: closing another one does not give it up.
final class ReadLock: Sendable {
    /// −1 when it was given up.
    private let descriptor: Mutex<Int32>

    /// - Throws: `inUse` where a broker, or another program, has the store; `cannotOpen`.
    init(_ path: String) throws(StoreError) {
        // Where this very process has the store: opening and closing it beside SQLite would give up SQLite's locks.
        let owner = LockOwner.pid(of: path)
        if owner == getpid() { throw .inUse(file: path, pid: owner) }
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .cannotOpen(file: path, detail: String(cString: strerror(errno))) }
        // SQLite's bytes: 1 GiB into the file PENDING, RESERVED, and the range that readers share.
        var lock = flock()
        lock.l_type = Int16(F_RDLCK)
        lock.l_whence = Int16(SEEK_SET)
        lock.l_start = 0x4000_0000
        lock.l_len = 512
        guard fcntl(descriptor, ReadLock.setOpenFileLock, &lock) == 0 else {
            let number = errno
            close(descriptor)
            guard number == EAGAIN || number == EACCES else {
                throw .inputOutput(file: path, detail: "it cannot be locked: \(String(cString: strerror(number)))")
            }
            throw .inUse(file: path, pid: LockOwner.pid(of: path))
        }
        self.descriptor = Mutex(descriptor)
    }

    deinit { giveUp() }

    func giveUp() {
        descriptor.withLock { descriptor in
            if descriptor >= 0 { close(descriptor) }
            descriptor = -1
        }
    }

    /// F_OFD_SETLK, which Glibc's module does not show.
    private static let setOpenFileLock: Int32 = 37
}
