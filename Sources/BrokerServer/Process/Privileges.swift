import Glibc

/// Who the process is, where root starts it and the configuration names a `user`: root while ports below 1024 are bound and
/// files are read that only root may read, that user while the store makes its files, and that user for good before the
/// broker says that it runs. glibc does it for every thread.
struct Privileges: Sendable {
    let name: String
    let user: uid_t
    let group: gid_t

    /// `nil` where there is nothing to give up: not root, no `user`, or `user root`.
    init?(user name: String?) throws(PrivilegeError) {
        guard let name, name != "root", geteuid() == 0 else { return nil }
        var entry = passwd()
        var found: UnsafeMutablePointer<passwd>?
        var buffer = [CChar](repeating: 0, count: 16_384)
        let status = getpwnam_r(name, &entry, &buffer, buffer.count, &found)
        guard status == 0, found != nil else { throw PrivilegeError.unknownUser(name) }
        self.name = name
        user = entry.pw_uid
        group = entry.pw_gid
    }

    /// Runs `body` as the user: what it makes is the user's. Threads that run meanwhile are that user too.
    func lowered<Result>(_ body: () throws -> Result) throws -> Result {
        guard setegid(group) == 0, seteuid(user) == 0 else { throw PrivilegeError.refused(name, Self.reason()) }
        let result = Swift.Result { try body() }
        guard seteuid(0) == 0, setegid(0) == 0 else { throw PrivilegeError.refused("root", Self.reason()) }
        return try result.get()
    }

    /// Becomes the user for good.
    func drop() throws(PrivilegeError) {
        guard initgroups(name, group) == 0, setgid(group) == 0, setuid(user) == 0 else {
            throw PrivilegeError.refused(name, Self.reason())
        }
        guard setuid(0) != 0 else { throw PrivilegeError.refused(name, "root came back") }
    }

    /// Opens a file to write into it, as the user; one that does not exist becomes the user's. Where the user may not, root
    /// opens it and gives it away, so that it can be written after `drop`: but through no link, since whoever may write in its
    /// folder could have pointed that at any file of the machine. -1 and `errno` where it cannot be.
    func open(_ path: String, _ flags: Int32, mode: mode_t) throws -> Int32 {
        let (own, reason) = try lowered {
            let descriptor = Glibc.open(path, flags, mode)
            return (descriptor, errno)
        }
        errno = reason
        guard own < 0, reason == EACCES else { return own }
        let descriptor = Glibc.open(path, flags | O_NOFOLLOW, mode)
        guard descriptor >= 0 else { return -1 }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_nlink == 1 else {
            close(descriptor)
            errno = ELOOP
            return -1
        }
        _ = fchown(descriptor, user, group)
        return descriptor
    }

    private static func reason() -> String { String(cString: strerror(errno)) }
}

/// Why the broker cannot become its `user`.
enum PrivilegeError: Error, CustomStringConvertible {
    case unknownUser(String)
    case refused(String, String)

    var description: String {
        switch self {
        case .unknownUser(let name): "user \(name): there is no such user on this machine; make one, or name another"
        case .refused(let name, let reason): "cannot become the user \(name): \(reason)"
        }
    }
}
