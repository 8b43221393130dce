/// Why a store cannot be opened, read or written. Each says what happened, which file, and what to do.
package enum StoreError: Error, Equatable, Sendable {
    /// Another process (or another `Store` of this one) has it open; `pid` where the system tells.
    case inUse(file: String, pid: Int32?)
    /// It is something else than a store of Martlet.
    case foreign(file: String, detail: String)
    /// It was written by a newer Martlet.
    case newer(file: String, version: Int, supported: Int)
    /// It was written by an older Martlet, and may not be brought up to date by one that only looks at it.
    case older(file: String, version: Int, supported: Int)
    case corrupt(file: String, detail: String)
    /// It, or its folder, cannot be written.
    case readOnly(file: String, detail: String)
    /// There is no room.
    case full(file: String, detail: String)
    /// The folder or file cannot be opened at all.
    case cannotOpen(file: String, detail: String)
    /// The system refused to read or write.
    case inputOutput(file: String, detail: String)
    /// The store was closed before.
    case closed(file: String)
}

extension StoreError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .inUse(let file, let pid):
            let owner = pid.map { " (process \($0))" } ?? ""
            return "The store \(file) is in use by another process\(owner). "
                + "Stop that one first, or give this broker a persistence_location of its own."
        case .foreign(let file, let detail):
            return "\(file) is not a store of Martlet: \(detail). Move it away or choose another persistence_location."
        case .newer(let file, let version, let supported):
            return "The store \(file) has layout \(version); this Martlet knows layouts up to \(supported). "
                + "Use the newer Martlet that wrote it."
        case .older(let file, let version, let supported):
            return "The store \(file) has layout \(version), and this Martlet reads layout \(supported). "
                + "The broker brings it up to date when it starts with it; keep a copy."
        case .corrupt(let file, let detail):
            return "The store \(file) is damaged: \(detail). Keep a copy of it and of \(file)-wal, "
                + "then restore a backup or move both away to begin anew."
        case .readOnly(let file, let detail):
            return
                "The store \(file) cannot be written: \(detail). The broker's user must be able to write to the file "
                + "and its folder."
        case .full(let file, let detail):
            return "There is no room to write to the store \(file): \(detail). Make room on its disk; "
                + "the broker goes on by itself."
        case .cannotOpen(let file, let detail):
            return "The store \(file) cannot be opened: \(detail). See that its folder exists and may be entered."
        case .inputOutput(let file, let detail):
            return
                "Reading or writing the store \(file) failed: \(detail). See the system's log for what its disk says."
        case .closed(let file): return "The store \(file) is closed."
        }
    }
}
