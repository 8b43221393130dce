import ArgumentParser
import Foundation
import Glibc

/// `martlet broker -d`: the broker goes on without its terminal. A process with threads cannot be forked, so it starts itself
/// anew, and waits until that one says that clients may connect: what goes wrong before is still told
/// here, with its exit status, where mosquitto's parent has long said that all is well.
enum Daemon {
    /// In the child's environment: the descriptor on which it says so.
    private static let variable = "MARTLET_DAEMON"
    private static let ready: UInt8 = 1

    static let isChild = getenv(variable) != nil

    /// Starts the child. Returns the parent's exit status: 0 when clients may connect, else the child's.
    static func start() throws -> Int32 {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw failure(errno) }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        // This thread has signals blocked that the broker waits for.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
        defer {
            posix_spawn_file_actions_destroy(&actions)
            posix_spawnattr_destroy(&attributes)
        }
        let told: Int32 = 3  // the first behind standard error; nothing else is handed down
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, ends[1], told)

        let words = CommandLine.arguments.map { strdup($0) }
        let surroundings =
            ProcessInfo.processInfo.environment.map { strdup("\($0)=\($1)") } + [strdup("\(variable)=\(told)")]
        defer { for word in words + surroundings { free(word) } }
        // By its own name, so that `pidof` finds it.
        let program = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        var child: pid_t = 0
        let status = posix_spawn(
            &child, program ?? "/proc/self/exe", &actions, &attributes, words + [nil], surroundings + [nil])
        close(ends[1])
        guard status == 0 else { throw failure(status) }
        var word: UInt8 = 0
        while read(ends[0], &word, 1) < 0, errno == EINTR {}
        guard word != ready else { return 0 }
        var ended: Int32 = 0
        while waitpid(child, &ended, 0) < 0, errno == EINTR {}
        return ended & 0x7F == 0 ? (ended >> 8) & 0xFF : 1
    }

    /// Clients may connect: the parent ends, and nothing of its terminal is held any more. Until here Ctrl-C ends both.
    static func isReady() {
        guard let text = getenv(variable), let told = Int32(String(cString: text)) else { return }
        unsetenv(variable)
        setsid()
        let nowhere = open("/dev/null", O_RDWR)
        for descriptor in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO] { dup2(nowhere, descriptor) }
        if nowhere > STDERR_FILENO { close(nowhere) }
        var word = ready
        write(told, &word, 1)
        close(told)
    }

    private static func failure(_ code: Int32) -> ValidationError {
        ValidationError("-d: the broker cannot be started in the background: \(String(cString: strerror(code)))")
    }
}
