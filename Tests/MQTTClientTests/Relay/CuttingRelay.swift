import Foundation
import Glibc
import MQTTTestKit
import SeededRandom
import Synchronization

/// A bad network between a client and a broker, packet by packet, from a seed: it waits, sends acknowledgements and repeatable
/// messages twice, and cuts the connection before, within or after any packet, with FIN or with RST. After `cuts` cuts it
/// is a good network, so that every story ends.
final class CuttingRelay: Sendable {
    private struct State {
        var cutsLeft: Int
        var connections: UInt64 = 0
        var duplicates = 0
        var isClosed = false
    }

    let port: Int
    private let target: UInt16
    private let seed: UInt64
    private let listener: Int32
    private let state: Mutex<State>
    private let isVersion5: Bool
    /// PUBLISH of QoS 2 too is sent twice.
    private let repeatsQoS2: Bool
    private let seen = Mutex(RelayWitness())

    init(to target: UInt16, seed: UInt64, cuts: Int, isVersion5: Bool, repeatsQoS2: Bool) throws {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard let port = Self.listenOnLoopback(listener) else {
            throw ScriptedPeer.Unexpected(description: "cannot listen: errno \(errno)")
        }
        (self.port, self.target, self.seed, self.listener) = (port, target, seed, listener)
        self.isVersion5 = isVersion5
        self.repeatsQoS2 = repeatsQoS2
        state = Mutex(State(cutsLeft: cuts))
        Thread.detachNewThread { [self] in acceptAll() }
    }

    private static func listenOnLoopback(_ listener: Int32) -> Int? {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        return withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                bind(listener, pointer, length) == 0 && listen(listener, 64) == 0
                    && getsockname(listener, pointer, &length) == 0
            }
        } ? Int(UInt16(bigEndian: address.sin_port)) : nil
    }

    var witness: RelayWitness { seen.withLock { $0 } }
    var cutsLeft: Int { state.withLock { $0.cutsLeft } }
    /// Packets that were sent twice so far.
    var duplicates: Int { state.withLock { $0.duplicates } }

    /// No more connections; those that are there go on.
    func close() {
        state.withLock { $0.isClosed = true }
        shutdown(listener, Int32(SHUT_RDWR))
    }

    private func acceptAll() {
        defer { Glibc.close(listener) }
        while !state.withLock({ $0.isClosed }) {
            let near = accept(listener, nil, nil)
            guard near >= 0 else { continue }
            var on: Int32 = 1
            setsockopt(near, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
            guard let far = RelaySockets.connect(target) else {
                Glibc.close(near)
                continue
            }
            let number = state.withLock { state in
                state.connections += 1
                return state.connections
            }
            let link = Link(near: near, far: far)
            for isUp in [true, false] {
                Thread.detachNewThread { [self] in
                    var chance = SeededGenerator(seed: seed &* 1_000_003 &+ number &* 2 &+ (isUp ? 1 : 0))
                    carry(isUp ? near : far, isUp ? far : near, link, &chance)
                    link.end()
                }
            }
        }
    }

    /// Both sockets of a connection; closed when neither direction needs them.
    private final class Link: Sendable {
        private let near: Int32
        private let far: Int32
        private let ended = Mutex(0)

        init(near: Int32, far: Int32) { (self.near, self.far) = (near, far) }

        /// - Parameter hard: RST instead of FIN.
        func cut(hard: Bool) {
            for end in [near, far] {
                if hard {
                    var now = linger(l_onoff: 1, l_linger: 0)
                    setsockopt(end, SOL_SOCKET, SO_LINGER, &now, socklen_t(MemoryLayout<linger>.size))
                }
                shutdown(end, Int32(SHUT_RDWR))
            }
        }

        func end() {
            cut(hard: false)
            let isLast = ended.withLock { ended in
                ended += 1
                return ended == 2
            }
            if isLast {
                Glibc.close(near)
                Glibc.close(far)
            }
        }
    }

    /// Whole packets from one side to the other until it ends, or is cut.
    private func carry(_ source: Int32, _ sink: Int32, _ link: Link, _ chance: inout SeededGenerator) {
        var buffer: [UInt8] = []
        var packetsUntilCut = chance.below(80)
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = recv(source, &chunk, chunk.count, 0)
            guard count > 0 else { return }
            buffer += chunk[..<count]
            while let size = Self.packetBytes(buffer) {
                let packet = Array(buffer[..<size])
                buffer.removeFirst(size)
                if chance.chance(5) { usleep(UInt32(chance.below(3_000))) }
                seen.withLock { $0.observe(packet, isVersion5) }
                packetsUntilCut -= 1
                if packetsUntilCut < 0, takeCut() {
                    RelaySockets.send(sink, packet[..<chance.below(packet.count + 1)])
                    return link.cut(hard: chance.chance(30))
                }
                guard RelaySockets.send(sink, packet[...]) else { return }
                if chance.chance(8), let twin = self.twin(of: packet) {
                    state.withLock { $0.duplicates += 1 }
                    guard RelaySockets.send(sink, twin[...]) else { return }
                }
            }
        }
    }

    private func takeCut() -> Bool {
        state.withLock { state in
            guard state.cutsLeft > 0 else { return false }
            state.cutsLeft -= 1
            return true
        }
    }

    /// Bytes of the first packet; nil where it is not whole.
    private static func packetBytes(_ bytes: [UInt8]) -> Int? {
        var (length, shift) = (0, 0)
        for (index, byte) in bytes.dropFirst().prefix(4).enumerated() {
            length |= Int(byte & 0x7F) << shift
            shift += 7
            if byte & 0x80 == 0 {
                let whole = 2 + index + length
                return bytes.count >= whole ? whole : nil
            }
        }
        return nil
    }

    /// What may lawfully come twice: a message of QoS 1 or 2, with DUP, and each step of their flows.
    private func twin(of packet: [UInt8]) -> [UInt8]? {
        switch packet[0] >> 4 {
        case 3 where packet[0] & 0x06 == 0x04 && !repeatsQoS2: nil
        case 3 where packet[0] & 0x06 != 0: [packet[0] | 0x08] + packet[1...]
        case 4, 5, 6, 7: packet
        default: nil
        }
    }
}

enum RelaySockets {
    static func connect(_ port: UInt16) -> Int32? {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let result = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else {
            Glibc.close(descriptor)
            return nil
        }
        var on: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
        return descriptor
    }

    @discardableResult
    static func send(_ descriptor: Int32, _ bytes: ArraySlice<UInt8>) -> Bool {
        var rest = bytes
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            guard count > 0 else { return false }
            rest = rest.dropFirst(count)
        }
        return true
    }
}
