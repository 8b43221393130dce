import Certificates
import Glibc

/// The machine's own trust store. Whoever is not root is asked for a password by sudo, as with mkcert. [MK-6]
struct SystemStore {
    private let store: TrustStore

    init(_ store: TrustStore) { self.store = store }

    func install(_ authority: ParsedCertificate) throws -> TrustStore.Change {
        if geteuid() == 0 {
            let change = try store.install(authority)
            try refresh()
            return change
        }
        var template = Array("/tmp/martlet-trust-XXXXXX".utf8CString)
        guard let made = mkdtemp(&template) else {
            throw SecureFile.Fault(path: "/tmp", reason: String(cString: strerror(errno)))
        }
        let folder = String(cString: made)
        defer { rmdir(folder) }
        let file = folder + "/ca"
        try SecureFile.write(authority.pem, to: file, mode: SecureFile.open)
        defer { unlink(file) }
        try asRoot(["install", "-m", "0644", file, store.path(of: authority)])
        try refresh()
        return .done
    }

    func uninstall(_ authority: ParsedCertificate) throws -> TrustStore.Change {
        try asRoot(["rm", "-f", store.path(of: authority)])
        try refresh()
        return .done
    }

    /// Runs the system's own program.
    private func refresh() throws {
        if let command = store.refresh { try asRoot(command) }
    }

    private func asRoot(_ words: [String]) throws {
        let sudo = geteuid() == 0 ? [] : ["sudo", "--prompt=Sudo password:", "--"]
        switch try OtherProgram.run(sudo + words) {
        case 0: return
        case 127 where !sudo.isEmpty:
            throw SecureFile.Fault(
                path: store.directory, reason: "needs root, and there is no sudo; run this as root")
        case let status: throw SecureFile.Fault(path: words[0], reason: "failed with exit status \(status)")
        }
    }
}

/// A program of somebody else's, run to its end with our standard input and output.
enum OtherProgram {
    /// The exit status, 127 where there is no such program; 128 and the signal's number where one ended it.
    static func run(_ words: [String], isQuiet: Bool = false) throws -> Int32 {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        if isQuiet {
            posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0)
            posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0)
        }
        var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
        defer { arguments.forEach { free($0) } }
        var pid: pid_t = 0
        let failure = posix_spawnp(&pid, words[0], &actions, nil, &arguments, environ)
        if failure == ENOENT { return 127 }
        guard failure == 0 else {
            throw SecureFile.Fault(path: words[0], reason: "cannot be run: \(String(cString: strerror(failure)))")
        }
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0, errno == EINTR {}
        let signal = status & 0x7F
        return signal == 0 ? (status >> 8) & 0xFF : 128 + signal
    }
}
