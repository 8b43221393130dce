import Glibc
import MQTTTestKit

/// A broker in a mount namespace of its own, where the store's folder may be a small disk or a read-only one. What is
/// mounted there goes with its processes, however they end. Its files are reached through `/proc/PID/root`.
final class Box {
    /// Whether this machine lets us: mounting is root's, and not every container allows it.
    static let isPossible = run("unshare", "-m", "/bin/sh", "-c", "mount -t tmpfs -o size=1m tmpfs /mnt") == 0

    /// A command for `Program`'s `through`: mounts first, then becomes the program.
    static func command(_ mount: String) -> [String] {
        ["unshare", "-m", "/bin/sh", "-c", mount + " && exec \"$@\"", "sh"]
    }

    let port: UInt16
    private let store: StoreFolder
    private let program: Program

    /// A broker on a disk of `bytes`, started again each time it ends, at most ten times. The disk outlives it, not the box.
    init(diskBytes bytes: Int, settings: String = "") throws {
        store = try StoreFolder()
        guard let port = Loopback.freePort() else { throw Trouble("no free port") }
        self.port = port
        let script = """
            mount -t tmpfs -o size=\(bytes) tmpfs \(store.path) || exit 9
            for i in 1 2 3 4 5 6 7 8 9 10; do
                setpriv --pdeathsig KILL "$@" &
                echo $! > {directory}/pid
                wait $!
            done
            """
        let conf = store.configuration("log_dest stderr\n" + settings).replacing("{port}", with: String(port))
        program = try Program(
            ["broker", "-c", "{directory}/broker.conf"], files: ["broker.conf": conf],
            through: ["unshare", "-m", "/bin/sh", "-c", script, "sh"])
        try waitUntilItAnswers()
    }

    /// What the brokers said so far.
    var log: String { program.standardError }

    private var pid: Int32? { Int32(program.file("pid").filter { !$0.isWhitespace }) }

    /// A path on the broker's disk, as seen from here.
    private func path(_ name: String) -> String { "/proc/\(program.pid)/root\(store.path)/\(name)" }

    func client(
        _ id: String = unique("c"), version: UInt8 = 5, cleanStart: Bool = false, file: StaticString = #fileID,
        line: UInt = #line
    ) throws -> RawClient {
        let client = try RawClient(
            port: port, version: version, deadlineMilliseconds: patienceMilliseconds, file: file, line: line)
        try client.connect(
            id: id, version: version, cleanStart: cleanStart,
            properties: version == 5 && !cleanStart ? [.sessionExpiryInterval(.max)] : [], file: file, line: line)
        return client
    }

    /// Kills the broker; the next one is started by the box. Returns when that answers.
    func killAndRestart() throws {
        guard let old = pid else { throw Trouble("no broker runs in the box") }
        kill(old, SIGKILL)
        guard Deadline(milliseconds: patienceMilliseconds).wait(until: { pid.map { $0 != old } ?? false }) else {
            throw Trouble("the broker was not started again:\n\(log)")
        }
        try waitUntilItAnswers()
    }

    /// Takes all the room that the disk has left; bytes taken.
    @discardableResult
    func fillDisk() throws -> Int {
        let descriptor = open(path("filler"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw Trouble("cannot write to the box's disk: errno \(errno)") }
        defer { close(descriptor) }
        let block = [UInt8](repeating: 0, count: 4_096)
        var taken = 0
        while true {
            let count = write(descriptor, block, block.count)
            guard count > 0 else { return taken }
            taken += count
        }
    }

    /// Gives it back.
    func emptyDisk() { unlink(path("filler")) }

    private func waitUntilItAnswers() throws {
        guard program.answers(port: port, withinMilliseconds: patienceMilliseconds) else {
            throw Trouble("no broker answers in the box:\n\(log)")
        }
    }
}
