import Foundation

/// Syncs the write-ahead log where not every commit does: now and then, or when somebody asks. The log carries no locks:
/// opening it beside SQLite takes none away.
enum LogSync {
    /// Returns when the disk has it.
    ///
    /// - Throws: `cannotOpen` or `inputOutput`, naming the log. After that nobody knows what of it the disk has: Linux
    ///   reports a failed write once, and counts the pages as written from then on.
    static func sync(_ path: String) throws(StoreError) {
        let descriptor = open(path, O_RDWR | O_CLOEXEC)
        guard descriptor >= 0 else { throw .cannotOpen(file: path, detail: reason) }
        defer { close(descriptor) }
        guard fdatasync(descriptor) == 0 else {
            throw .inputOutput(file: path, detail: "it cannot be synced: \(reason)")
        }
    }

    private static var reason: String { String(cString: strerror(errno)) }
}

extension Durability {
    var interval: Double? {
        if case .interval(let seconds) = self { return seconds }
        return nil
    }
}
