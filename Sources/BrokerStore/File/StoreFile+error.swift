import Foundation
import GRDB
import Glibc

/// SQLite's errors in our words.
extension StoreFile {
    static func error(_ error: any Error, _ path: String) -> StoreError {
        if let error = error as? StoreError { return error }
        guard let error = error as? DatabaseError else {
            return .inputOutput(file: path, detail: String(describing: error))
        }
        let detail = "\(error.message ?? "no detail") (SQLite \(error.extendedResultCode.rawValue))"
        if error.extendedResultCode == .SQLITE_IOERR_LOCK, access(path, W_OK) != 0 {
            // A file that was opened for reading only cannot be locked for oneself.
            return .readOnly(file: path, detail: detail)
        }
        switch error.resultCode {
        case .SQLITE_BUSY, .SQLITE_LOCKED: return .inUse(file: path, pid: LockOwner.pid(of: path))
        case .SQLITE_NOTADB: return .foreign(file: path, detail: "it is no SQLite file")
        case .SQLITE_CORRUPT: return .corrupt(file: path, detail: detail)
        case .SQLITE_FULL: return .full(file: path, detail: detail)
        case .SQLITE_READONLY, .SQLITE_PERM, .SQLITE_AUTH: return .readOnly(file: path, detail: detail)
        case .SQLITE_CANTOPEN:
            let folder = (path as NSString).deletingLastPathComponent
            if FileManager.default.fileExists(atPath: path), access(folder, W_OK) != 0 {
                return .readOnly(file: path, detail: "its folder may not be written to")
            }
            return .cannotOpen(file: path, detail: detail)
        default: return .inputOutput(file: path, detail: detail)
        }
    }
}
