import Glibc
import Synchronization

/// Sockets on 127.0.0.1, and nowhere else.
enum Loopback {
    /// A connected socket, or nil with `errno` set.
    static func connect(port: UInt16) -> Int32? {
        let descriptor = tcpSocket()
        var address = address(port: port)
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else {
            let reason = errno
            close(descriptor)
            errno = reason
            return nil
        }
        var on: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
        return descriptor
    }

    /// A port that was free a moment ago. Somebody may take it before the broker does; `BrokerProcess` then tries again.
    static func freePort() -> UInt16? {
        let descriptor = tcpSocket()
        defer { close(descriptor) }
        var address = address(port: 0)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let result = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                bind(descriptor, pointer, length) == 0 && getsockname(descriptor, pointer, &length) == 0
            }
        }
        return result ? UInt16(bigEndian: address.sin_port) : nil
    }

    private static func tcpSocket() -> Int32 {
        socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    }

    private static func address(port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return address
    }
}

/// A point in time after which nobody waits any more.
struct Deadline {
    private let end: ContinuousClock.Instant

    init(milliseconds: Int) { end = .now + .milliseconds(milliseconds) }

    var millisecondsLeft: Int {
        let left = (end - .now).components
        return max(0, Int(left.seconds) * 1_000 + Int(left.attoseconds / 1_000_000_000_000_000))
    }

    /// True when `descriptor` can be read (or has ended) before the deadline.
    func wait(for descriptor: Int32) -> Bool {
        var item = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        while true {
            let result = poll(&item, 1, Int32(millisecondsLeft))
            if result > 0 { return true }
            if result == 0 || errno != EINTR { return false }
        }
    }
}

private let counter = Atomic<UInt64>(0)

/// A name that no other test uses: letters and digits, at most 23 of them when `prefix` has at most 8, so that it is a
/// client id that every broker must take, and a topic level as well.
package func unique(_ prefix: String) -> String {
    let number = counter.wrappingAdd(1, ordering: .relaxed).newValue
    return prefix + String(UInt64(getpid()), radix: 36) + "x" + String(number, radix: 36)
}
