import NIOConcurrencyHelpers
import NIOCore

/// Connections that have not sent CONNECT yet: nobody knows them, so a listener has few of them, and few from one
/// address. IPv6 is counted by /64, because a stranger there has that many addresses.
final class Strangers: Sendable {
    /// An address as far as it is counted.
    private struct Key: Hashable {
        var high: UInt64
        var low: UInt64
    }

    private struct Counts {
        var allMax: Int
        var perAddressMax: Int
        var all = 0
        var byAddress: [Key: Int] = [:]

        /// How many one address may have while there are `all`. Behind the middle it shrinks with the room that is left, so that
        /// a flood from many addresses stops short of the end, and an address that has nobody here yet still comes in. Where
        /// few addresses alone may fill the listener, the operator wanted no shares.
        func share(_ all: Int) -> Int {
            guard perAddressMax < allMax / 4, all > allMax / 2 else { return perAddressMax }
            return max(1, perAddressMax * 2 * (allMax - all) / allMax)
        }
    }

    private let counts: NIOLockedValueBox<Counts>

    init(allMax: Int, perAddressMax: Int) {
        counts = NIOLockedValueBox(Counts(allMax: allMax, perAddressMax: perAddressMax))
    }

    /// Other limits from now on; whoever is there stays.
    func limit(allMax: Int, perAddressMax: Int) {
        counts.withLockedValue {
            $0.allMax = allMax
            $0.perAddressMax = perAddressMax
        }
    }

    /// Counts one more from `address`; false where there are too many.
    func enter(_ address: SocketAddress?) -> Bool {
        let key = Strangers.key(address)
        return counts.withLockedValue { counts in
            guard counts.all < counts.allMax, counts.byAddress[key, default: 0] < counts.share(counts.all) else {
                return false
            }
            counts.all += 1
            counts.byAddress[key, default: 0] += 1
            return true
        }
    }

    /// Counts one more whose address is not known yet, or never will be; false where there are too many.
    func enterUnnamed() -> Bool {
        counts.withLockedValue { counts in
            guard counts.all < counts.allMax else { return false }
            counts.all += 1
            return true
        }
    }

    /// One who was counted without an address has one; false where there are too many of it.
    func name(_ address: SocketAddress) -> Bool {
        let key = Strangers.key(address)
        return counts.withLockedValue { counts in
            guard counts.byAddress[key, default: 0] < counts.share(counts.all - 1) else { return false }
            counts.byAddress[key, default: 0] += 1
            return true
        }
    }

    /// One without an address is known now, or gone.
    func leaveUnnamed() { counts.withLockedValue { $0.all -= 1 } }

    /// One of them is known now, or gone.
    func leave(_ address: SocketAddress?) {
        let key = Strangers.key(address)
        counts.withLockedValue { counts in
            counts.all -= 1
            guard let count = counts.byAddress[key] else { return }
            if count > 1 { counts.byAddress[key] = count - 1 } else { counts.byAddress.removeValue(forKey: key) }
        }
    }

    /// Stands for an address where connections take turns by where they come from.
    static func word(_ address: SocketAddress?) -> UInt64 {
        let key = key(address)
        return key.low &+ key.high &* 0x9E37_79B9_7F4A_7C15
    }

    private static func key(_ address: SocketAddress?) -> Key {
        guard let address else { return Key(high: 0, low: 0) }
        return address.withSockAddr { sockaddr, _ in
            // sockaddr_in keeps its address at byte 4, sockaddr_in6 at byte 8.
            let bytes = UnsafeRawPointer(sockaddr)
            switch address.protocol {
            case .inet: return Key(high: 4, low: UInt64(bytes.loadUnaligned(fromByteOffset: 4, as: UInt32.self)))
            case .inet6: return Key(high: 6, low: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
            default: return Key(high: 0, low: 0)
            }
        }
    }
}

/// One connection's place among the strangers, from accept through PROXY header, TLS and WebSocket to CONNECT. Lives on the
/// connection's loop.
final class StrangerTicket {
    private let strangers: Strangers
    private var address: SocketAddress?
    private var isValid = true

    /// `nil` where there are too many. An address that is not known at first (behind a proxy, on a Unix socket) is `nil`.
    init?(_ strangers: Strangers, address: SocketAddress?) {
        guard address.map(strangers.enter) ?? strangers.enterUnnamed() else { return nil }
        self.strangers = strangers
        self.address = address
    }

    /// The proxy has said who it is; false where there are too many of that address.
    func name(_ address: SocketAddress) -> Bool {
        guard isValid, self.address == nil else { return isValid }
        guard strangers.name(address) else { return false }
        self.address = address
        return true
    }

    func leave() {
        guard isValid else { return }
        isValid = false
        if let address { strangers.leave(address) } else { strangers.leaveUnnamed() }
    }
}
