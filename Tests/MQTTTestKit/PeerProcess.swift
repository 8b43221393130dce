import Glibc

/// Somebody else's program that listens: `openssl s_server`, `microsocks`. Its input stays open, what it says is kept, and it
/// ends with this object, or with the test process, however that ends.
package final class PeerProcess: Sendable {
    package let pid: Int32
    private let directory: String
    private let lifeline: Int32
    /// The other end of its input: closing it would end some programs.
    private let input: Int32

    package init(_ command: [String]) throws {
        directory = try Scratch.makeDirectory()
        var ends: [Int32] = [-1, -1]
        let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        guard socketpair(AF_UNIX, kind, 0, &ends) == 0 else {
            throw BrokerProcess.StartFailure(description: "socketpair: errno \(errno)")
        }
        input = ends[1]
        let started = Spawn.run(command, output: "\(directory)/said", input: ends[0])
        close(ends[0])
        guard let started else {
            close(ends[1])
            throw BrokerProcess.StartFailure(description: "cannot run \(command): errno \(errno)")
        }
        pid = started
        lifeline = Spawn.watch(started, directory: directory)
    }

    deinit {
        kill(pid, SIGKILL)
        waitpid(pid, nil, 0)
        close(input)
        close(lifeline)
    }

    /// All it has said so far, errors included.
    package var said: String { Scratch.read("\(directory)/said") }

    /// Waits until it has said that, without holding a thread up, and returns all it has said.
    package func says(_ text: String, withinMilliseconds limit: Int = patienceMilliseconds) async -> String {
        let deadline = Deadline(milliseconds: limit)
        while !said.contains(text), deadline.millisecondsLeft > 0 { try? await Task.sleep(for: .milliseconds(10)) }
        return said
    }
}
