import BrokerConfiguration
import Glibc

/// How files looked at a moment, so that it is noticed when one becomes another, is written to, comes or goes.
struct FileStamps: Sendable, Equatable {
    private struct Stamp: Sendable, Equatable {
        var device: UInt64
        var inode: UInt64
        var bytes: Int64
        /// Of the content, and of the file: a copy that keeps the first changes the second.
        var modified: [Int]
        var changed: [Int]

        /// `nil` where there is nothing.
        init?(_ path: String) {
            var status = stat()
            guard stat(path, &status) == 0 else { return nil }
            device = UInt64(status.st_dev)
            inode = UInt64(status.st_ino)
            bytes = Int64(status.st_size)
            modified = [status.st_mtim.tv_sec, status.st_mtim.tv_nsec]
            changed = [status.st_ctim.tv_sec, status.st_ctim.tv_nsec]
        }
    }

    private var stamps: [String: Stamp] = [:]
    private var paths: Set<String> = []
    /// Where this user may not even look: what was read as root, before another user was become.
    private var hidden: Set<String> = []

    /// Of a folder, itself and what lies in it.
    init(of paths: [String], folders: [String] = []) {
        for path in paths + folders.flatMap(FileStamps.content) where self.paths.insert(path).inserted {
            stamps[path] = Stamp(path)
            if stamps[path] == nil, errno == EACCES { hidden.insert(path) }
        }
    }

    /// Paths that look different, sorted. Those that only one of the two knows are no change, nor are those that nobody may
    /// look at now.
    func changes(since old: FileStamps) -> [String] {
        paths.filter { old.paths.contains($0) && !hidden.contains($0) && stamps[$0] != old.stamps[$0] }.sorted()
    }

    /// The same, with what `others` know better.
    func updated(by others: FileStamps) -> FileStamps {
        var all = self
        for path in others.paths where paths.contains(path) && !others.hidden.contains(path) {
            all.stamps[path] = others.stamps[path]
        }
        return all
    }

    private static func content(of folder: String) -> [String] {
        guard let stream = opendir(folder) else { return [folder] }
        defer { closedir(stream) }
        var paths = [folder]
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { name in
                name.withMemoryRebound(to: CChar.self, capacity: Int(NAME_MAX) + 1) { String(cString: $0) }
            }
            if name != ".", name != ".." { paths.append(folder + "/" + name) }
        }
        return paths
    }
}

extension FileStamps {
    /// Everything that listeners' TLS is made from.
    static func tls(_ configuration: BrokerConfiguration) -> FileStamps {
        FileStamps(
            of: configuration.listeners.flatMap(\.tlsFiles),
            folders: configuration.listeners.compactMap { $0.tls?.authorityFolder })
    }

    /// Everything a reload reads beside the configuration itself.
    static func all(_ configuration: BrokerConfiguration) -> FileStamps {
        let listeners = configuration.listeners
        return FileStamps(
            of: listeners.flatMap { $0.tlsFiles + $0.accessFiles + [$0.security.pskFile].compactMap { $0 } },
            folders: listeners.compactMap { $0.tls?.authorityFolder })
    }

    /// What one listener's TLS is made from, pre-shared keys among it.
    static func tls(of listener: ListenerConfiguration) -> FileStamps {
        FileStamps(
            of: listener.tlsFiles + [listener.security.pskFile].compactMap { $0 },
            folders: [listener.tls?.authorityFolder].compactMap { $0 })
    }

    static func access(_ configuration: BrokerConfiguration) -> FileStamps {
        FileStamps(of: configuration.listeners.flatMap(\.accessFiles))
    }

    /// Files that the process may not read as who it is now.
    static func unreadable(_ configuration: BrokerConfiguration) -> [String] {
        let paths = Set(
            configuration.listeners.flatMap { $0.tlsFiles + $0.accessFiles + [$0.security.pskFile].compactMap { $0 } })
        return paths.filter { Glibc.access($0, R_OK) != 0 }.sorted()
    }
}

extension ListenerConfiguration {
    /// Certificate, key, passphrase, authorities, CRL.
    fileprivate var tlsFiles: [String] {
        guard let tls else { return [] }
        let files = [
            tls.certificateFile, tls.keyFile, tls.keyPasswordFile, tls.authorityFile, tls.revocationListFile,
        ]
        return files.compactMap { $0 }
    }

    fileprivate var accessFiles: [String] { [security.passwordFile, security.aclFile].compactMap { $0 } }
}

/// Which files look different from those that hold, and whether whoever writes them is done.
struct FileWatch: Sendable {
    /// Of the files as they were when they were taken up.
    private(set) var taken: FileStamps
    private var seen: FileStamps

    enum Finding: Equatable {
        case nothing
        /// Something has changed since the last look: somebody may still be writing.
        case unsettled
        /// These are different, and have been still since the last look.
        case settled([String])
    }

    init(_ stamps: FileStamps) {
        taken = stamps
        seen = stamps
    }

    mutating func look(_ now: FileStamps) -> Finding {
        defer { seen = now }
        let changed = now.changes(since: taken)
        if changed.isEmpty { return .nothing }
        return now == seen ? .settled(changed) : .unsettled
    }

    /// What looked like this holds from now on.
    mutating func take(_ stamps: FileStamps) {
        taken = stamps
        seen = stamps
    }
}
