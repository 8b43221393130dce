import Foundation
import Glibc

extension StoreImport {
    /// Called when the broker starts with `persistence true`: where mosquitto's snapshot lies and no store of ours, takes
    /// over what it holds. The snapshot is left as it is. The store appears as a whole or not at all: it grows under
    /// another name (`.importing` behind its own) and gets its own when everything is on the disk.
    ///
    /// - Returns: what came, for the log; nil where there is nothing to import, or a store is there already.
    /// - Throws: `StoreImportError` or `StoreError`; then no store was made.
    package static func importMosquitto(
        from snapshot: String, into store: String, now: Int64 = Store.systemClock()
    ) throws -> ImportSummary? {
        guard StoreDialogue.kind(of: store) == .missing, access(snapshot, F_OK) == 0 else { return nil }
        return try make(store) { dialogue in
            var random = SystemRandomNumberGenerator()
            do {
                return try mosquitto(from: snapshot, now: now, using: &random) { dialogue.perform($0) }
            } catch StoreImportError.mosquitto(let error) {
                throw StoreImportError.snapshot(snapshot, error)
            }
        }
    }

    /// What the log says of an import at the broker's start.
    package static func logLine(_ summary: ImportSummary, from snapshot: String) -> String {
        "Imported from mosquitto's \(snapshot), which stays as it is: \(summary.description)."
    }

    /// Makes a new store of a file that `StoreExport` or mosquitto wrote, in place of one that may be there.
    package static func file(
        _ source: String, into store: String, now: Int64 = Store.systemClock(),
        progress: @escaping (_ done: Int, _ whole: Int) -> Void = { _, _ in }
    ) throws -> ImportSummary {
        let isSnapshot = StoreDialogue.kind(of: source) == .mosquitto
        return try make(store) { dialogue in
            var random = SystemRandomNumberGenerator()
            if isSnapshot {
                return try mosquitto(from: source, now: now, using: &random, progress: progress) {
                    dialogue.perform($0)
                }
            }
            return try lines(from: source, using: &random, progress: progress) { dialogue.perform($0) }
        }
    }

    private static func make(
        _ store: String, _ fill: (StoreDialogue) throws -> ImportSummary
    ) throws -> ImportSummary {
        // Whoever has the store open keeps it.
        if StoreDialogue.kind(of: store) == .store {
            do { try StoreDialogue(path: store, isLook: true).close() } catch .inUse(let file, let pid) {
                throw StoreError.inUse(file: file, pid: pid)
            } catch {}  // damaged: one more reason to replace it
        }
        let growing = store + ".importing"
        // An import that was cut off left one.
        remove(growing)
        // Messages may be secret.
        let descriptor = open(growing, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw StoreImportError.unreadable(growing, errno) }
        Glibc.close(descriptor)
        let dialogue = try StoreDialogue(path: growing)
        do {
            let summary = try fill(dialogue)
            try dialogue.close()
            try sync(growing)
            // What belongs to a store that is replaced must not be taken for the new one's.
            for suffix in ["-wal", "-shm"] { unlink(store + suffix) }
            guard rename(growing, store) == 0 else { throw StoreImportError.unreadable(store, errno) }
            try sync((store as NSString).deletingLastPathComponent)
            return summary
        } catch {
            try? dialogue.close()
            remove(growing)
            throw error
        }
    }

    private static func remove(_ path: String) {
        for suffix in ["", "-wal", "-shm", "-journal"] { unlink(path + suffix) }
    }

    /// A file or a folder is on the disk when this returns.
    private static func sync(_ path: String) throws {
        let path = path.isEmpty ? "." : path
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw StoreImportError.unreadable(path, errno) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw StoreImportError.unreadable(path, errno) }
    }
}
