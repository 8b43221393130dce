import Glibc
import Synchronization

/// One run of `martlet` with arguments of the test's choice: for starts that fail on purpose, for starts without a file,
/// and for ends whose exit status matters. `BrokerProcess` is for everything else. Like that one it ends with the test.
package final class Program: Sendable {
    package let pid: Int32
    /// In arguments and files `{directory}`.
    package let directory: String
    private let lifeline: Int32
    private let waitStatus = Mutex<Int32?>(nil)

    /// Runs `martlet` with `arguments`. `files` (name, text) are written into its folder first. `openFilesMax` is the
    /// hard limit of descriptors it gets. `through` is a command that becomes the program, whose name and arguments it finds
    /// behind its own.
    package init(
        _ arguments: [String], files: [String: String] = [:], openFilesMax: Int? = nil, through: [String] = []
    ) throws {
        let folder = try Scratch.makeDirectory()
        for (name, text) in files {
            try Scratch.write(text.replacing("{directory}", with: folder), to: "\(folder)/\(name)")
        }
        var command = [BrokerUnderTest.martlet] + arguments.map { $0.replacing("{directory}", with: folder) }
        if let openFilesMax {
            // The shell becomes the program, so that the pid stays its own.
            command = ["/bin/sh", "-c", "ulimit -n \(openFilesMax); exec \"$@\"", "sh"] + command
        }
        command = through.map { $0.replacing("{directory}", with: folder) } + command
        let started = Spawn.run(command, output: "\(folder)/stdout", errors: "\(folder)/stderr")
        guard let started else {
            throw BrokerProcess.StartFailure(description: "cannot run \(command): errno \(errno)")
        }
        pid = started
        directory = folder
        lifeline = Spawn.watch(started, directory: folder)
    }

    deinit {
        signal(SIGKILL)
        _ = exitStatus(withinMilliseconds: patienceMilliseconds)
        close(lifeline)
    }

    package var standardOutput: String { Scratch.read("\(directory)/stdout") }
    package var standardError: String { Scratch.read("\(directory)/stderr") }
    /// A file of its folder; empty where there is none.
    package func file(_ name: String) -> String { Scratch.read("\(directory)/\(name)") }
    package func hasFile(_ name: String) -> Bool { access("\(directory)/\(name)", F_OK) == 0 }

    package var isRunning: Bool {
        waitStatus.withLock { status in
            if status == nil {
                var word: Int32 = 0
                if waitpid(pid, &word, WNOHANG) == pid { status = word }
            }
            return status == nil
        }
    }

    package func signal(_ number: Int32) {
        if isRunning { kill(pid, number) }
    }

    /// What it exited with; 128 and the signal's number where a signal ended it; nil where it still runs after that time.
    package func exitStatus(withinMilliseconds limit: Int) -> Int32? {
        let deadline = Deadline(milliseconds: limit)
        guard deadline.wait(until: { !isRunning }), let word = waitStatus.withLock({ $0 }) else { return nil }
        return word & 0x7F == 0 ? word >> 8 & 0xFF : 128 + word & 0x7F
    }

    /// Whether it accepts on the port before the time is over.
    package func answers(
        _ host: Loopback.Host = .first, port: UInt16, withinMilliseconds limit: Int = patienceMilliseconds
    ) -> Bool {
        Deadline(milliseconds: limit).wait { Loopback.answers(host, port: port) || !isRunning } && isRunning
    }
}
