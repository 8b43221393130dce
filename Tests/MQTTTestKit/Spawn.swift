import Glibc

/// Starting processes without a shell in between, so that the pid is the program's own.
enum Spawn {
    /// Above this only sockets of tests with very many clients stand.
    private static let descriptorsMax: Int32 = 1024

    /// Runs `command`, both outputs appended to the file `output`, or errors to their own file. Nil with `errno` set
    /// when it cannot start.
    static func run(_ command: [String], output: String, errors: String? = nil, input: Int32? = nil) -> Int32? {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        if let input {
            posix_spawn_file_actions_adddup2(&actions, input, 0)
        } else {
            posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        }
        posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_APPEND, 0o600)
        if let errors {
            posix_spawn_file_actions_addopen(&actions, 2, errors, O_WRONLY | O_CREAT | O_APPEND, 0o600)
        } else {
            posix_spawn_file_actions_adddup2(&actions, 1, 2)
        }
        // Tests run side by side: a broker that inherited what another test waits to see closed (Foundation's `Process`
        // learns of an exit that way) would keep that test waiting for as long as it lives.
        for descriptor in 3...openDescriptorMax() { posix_spawn_file_actions_addclose(&actions, descriptor) }

        // Nothing else of ours: the end of a pipe that another test reads would stay open as long as this child lives. To
        // close what is not open is no error here.
        for descriptor in 3..<descriptorsMax { posix_spawn_file_actions_addclose(&actions, descriptor) }

        // A child starts with every signal in its ordinary state, whatever this process blocks or ignores.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        sigemptyset(&none)
        var all = sigset_t()
        sigfillset(&all)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setsigdefault(&attributes, &all)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))

        let arguments: [UnsafeMutablePointer<CChar>?] = command.map { strdup($0) } + [nil]
        defer { arguments.forEach { free($0) } }
        var pid: Int32 = 0
        let result = posix_spawnp(&pid, command[0], &actions, &attributes, arguments, environ)
        errno = result
        return result == 0 ? pid : nil
    }

    /// No descriptor of this process is above it, those that other threads open meanwhile included, as far as can be known.
    private static func openDescriptorMax() -> Int32 {
        var highest: Int32 = 3
        if let folder = opendir("/proc/self/fd") {
            defer { closedir(folder) }
            while let entry = readdir(folder) {
                let name = withUnsafePointer(to: &entry.pointee.d_name) {
                    $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
                }
                if let number = Int32(name) { highest = max(highest, number) }
            }
        }
        return min(highest + 64, Int32(clamping: sysconf(Int32(_SC_OPEN_MAX))) - 1)
    }

    /// Starts a watcher that ends `pid` and removes `directory` once the returned descriptor is closed, by us or by our
    /// death. `MARTLET_TEST_KEEP` in the environment keeps the folder.
    static func watch(_ pid: Int32, directory: String) -> Int32 {
        var ends: [Int32] = [-1, -1]
        // A pair of sockets rather than a pipe: it is closed on exec from birth, so no other child can keep it open.
        let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        guard socketpair(AF_UNIX, kind, 0, &ends) == 0 else { return -1 }
        let script = """
            read -r _
            kill -TERM \(pid) 2>/dev/null
            for i in 1 2 3 4 5 6 7 8 9 10; do kill -0 \(pid) 2>/dev/null || break; sleep 0.5; done
            kill -KILL \(pid) 2>/dev/null
            [ -n "$MARTLET_TEST_KEEP" ] || rm -rf '\(directory)'
            """
        _ = run(["/bin/sh", "-c", script], output: "/dev/null", input: ends[0])
        close(ends[0])
        return ends[1]
    }
}
