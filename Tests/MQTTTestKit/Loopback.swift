import Glibc
import Synchronization

/// Sockets on this machine's loopback, and nowhere else.
package enum Loopback {
    /// Where a broker may be met without leaving the machine.
    package enum Host: String, Sendable, CaseIterable {
        case first = "127.0.0.1"
        /// Stands in for the machine's other addresses: what listens on 127.0.0.1 alone does not answer here.
        case second = "127.0.0.2"
        case version6 = "::1"
    }

    /// Whether this machine has IPv6; without it there is nothing to test there.
    package static let hasIPv6: Bool = {
        let descriptor = tcpSocket(AF_INET6)
        defer { close(descriptor) }
        var address = address6(port: 0)
        return withSocketAddress(&address) { bind(descriptor, $0, $1) == 0 }
    }()

    /// Whether somebody accepts there.
    package static func answers(_ host: Host, port: UInt16) -> Bool {
        guard let descriptor = connect(host, port: port) else { return false }
        close(descriptor)
        return true
    }

    /// A connected socket, or nil with `errno` set. `receiveBufferBytes` is set before connecting, so that the peer
    /// never sees a larger window.
    static func connect(_ host: Host = .first, port: UInt16, receiveBufferBytes: Int32? = nil) -> Int32? {
        let descriptor = tcpSocket(host == .version6 ? AF_INET6 : AF_INET)
        if var bytes = receiveBufferBytes {
            setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &bytes, socklen_t(MemoryLayout<Int32>.size))
        }
        let result: Int32
        if host == .version6 {
            var address = address6(port: port)
            result = withSocketAddress(&address) { Glibc.connect(descriptor, $0, $1) }
        } else {
            var address = address(host, port: port)
            result = withSocketAddress(&address) { Glibc.connect(descriptor, $0, $1) }
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

    /// Ports that this process has not given away yet, in an order of its own: below those that the kernel gives to connections,
    /// any of which would take it before the broker does.
    private static let candidates = Mutex<[UInt16]>([])

    /// A port that is free, and that no other test of this process is given soon. Another process may still take it before the
    /// broker does; `BrokerProcess` then tries again.
    package static func freePort() -> UInt16? {
        for _ in 0..<1_000 {
            let candidate = candidates.withLock { candidates in
                if candidates.isEmpty { candidates = Array(10_000..<32_000).shuffled() }
                return candidates.removeLast()
            }
            let descriptor = tcpSocket(AF_INET)
            defer { close(descriptor) }
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = candidate.bigEndian  // on every interface
            if withSocketAddress(&address, { bind(descriptor, $0, $1) == 0 }) { return candidate }
        }
        return nil
    }

    private static func tcpSocket(_ family: Int32) -> Int32 {
        socket(family, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    }

    private static func withSocketAddress<Address, Result>(
        _ address: inout Address, _ body: (UnsafeMutablePointer<sockaddr>, socklen_t) -> Result
    ) -> Result {
        withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<Address>.size)) }
        }
    }

    private static func address(_ host: Host, port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(host == .second ? 0x7F00_0002 : 0x7F00_0001).bigEndian
        return address
    }

    private static func address6(port: UInt16) -> sockaddr_in6 {
        var address = sockaddr_in6()
        address.sin6_family = sa_family_t(AF_INET6)
        address.sin6_port = port.bigEndian
        inet_pton(AF_INET6, Host.version6.rawValue, &address.sin6_addr)
        return address
    }
}

/// A point in time after which nobody waits any more.
package struct Deadline {
    private let end: ContinuousClock.Instant

    package init(milliseconds: Int) { end = .now + .milliseconds(milliseconds) }

    package var millisecondsLeft: Int {
        let left = (end - .now).components
        return max(0, Int(left.seconds) * 1_000 + Int(left.attoseconds / 1_000_000_000_000_000))
    }

    /// Asks again and again, every few milliseconds, until `condition` holds or the time is over; says whether it held.
    package func wait(until condition: () throws -> Bool) rethrows -> Bool {
        while true {
            if try condition() { return true }
            if millisecondsLeft == 0 { return false }
            usleep(10_000)
        }
    }

    /// True when `descriptor` can be read, or written, or has ended before the deadline.
    package func wait(for descriptor: Int32, toWrite: Bool = false) -> Bool {
        var item = pollfd(fd: descriptor, events: Int16(toWrite ? POLLOUT : POLLIN), revents: 0)
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
