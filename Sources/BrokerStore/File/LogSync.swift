import Foundation

/// Syncs the write-ahead log now and then, where not every commit does. The log carries no locks: opening it beside
/// SQLite takes none away.
enum LogSync {
    static func sync(_ path: String) {
        let descriptor = open(path, O_RDWR | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        fdatasync(descriptor)
        close(descriptor)
    }
}

extension Durability {
    var interval: Double? {
        if case .interval(let seconds) = self { return seconds }
        return nil
    }
}
