import Glibc

/// What systemd is told about a service of `Type=notify`: datagrams to the socket it names in the environment,
/// sd_notify(3). Without that socket nobody is told, and nothing is different.
struct ServiceNotification: Sendable {
    /// The socket's path; a leading `@` stands for the NUL of an abstract one.
    private let path: String
    /// How often `alive` must come, microseconds; `nil` where systemd does not watch us.
    let watchdogMicroseconds: Int?

    /// From `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID`; `nil` where nobody listens.
    init?(environment: (String) -> String? = { getenv($0).map { String(cString: $0) } }, process: Int32 = getpid()) {
        guard let path = environment("NOTIFY_SOCKET"), path.hasPrefix("/") || path.hasPrefix("@"),
            path.utf8.count < ServiceNotification.pathBytesMax
        else { return nil }
        self.path = path
        let isForUs = environment("WATCHDOG_PID").map { Int32($0) == process } ?? true
        watchdogMicroseconds = environment("WATCHDOG_USEC").flatMap { Int($0) }.flatMap { $0 > 0 && isForUs ? $0 : nil }
    }

    private static let pathBytesMax = MemoryLayout.size(ofValue: sockaddr_un().sun_path)

    /// Clients may connect; `status` is shown by `systemctl status`.
    func ready(status: String) { send("READY=1\nSTATUS=\(status)\nMAINPID=\(getpid())") }
    /// A reload begins; `ready` ends it.
    func reloading() {
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        send("RELOADING=1\nMONOTONIC_USEC=\(now.tv_sec * 1_000_000 + now.tv_nsec / 1000)")
    }
    func stopping() { send("STOPPING=1\nSTATUS=Saying goodbye to the clients.") }
    /// Every loop still turns.
    func alive() { send("WATCHDOG=1") }

    /// One datagram, never waiting: a service manager that does not read must not stop the broker.
    private func send(_ state: String) {
        let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        var bytes = Array(path.utf8)
        if bytes.first == UInt8(ascii: "@") { bytes[0] = 0 }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        let length = MemoryLayout<sa_family_t>.size + bytes.count
        _ = withUnsafeBytes(of: address) { whole in
            whole.withMemoryRebound(to: sockaddr.self) { address in
                Array(state.utf8).withUnsafeBytes { text in
                    sendto(
                        descriptor, text.baseAddress, text.count,
                        Int32(MSG_DONTWAIT),
                        address.baseAddress, socklen_t(length))
                }
            }
        }
    }
}
