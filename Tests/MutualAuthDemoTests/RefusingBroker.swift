import Foundation
import Glibc
import Synchronization

/// A broker that speaks just enough 3.1.1, by bytes, to go wrong at one place: it refuses, or stays silent, or never sends
/// anything back.
final class RefusingBroker: Sendable {
    struct Behaviour: Sendable {
        /// Nil = no CONNACK at all.
        var connack: UInt8? = 0
        var suback: UInt8 = 1
        var puback = true
    }

    let port: Int
    private let listener: Int32
    private let seen = Mutex<[[UInt8]]>([])

    /// Every packet that came.
    var packets: [[UInt8]] { seen.withLock { $0 } }

    init(_ behaviour: Behaviour) throws {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, length) == 0 && getsockname(listener, $0, &length) == 0
            }
        }
        precondition(bound && listen(listener, 8) == 0, "no port: errno \(errno)")
        self.listener = listener
        port = Int(UInt16(bigEndian: address.sin_port))
        Thread.detachNewThread { [self] in
            while true {
                let descriptor = accept(listener, nil, nil)
                guard descriptor >= 0 else { return }
                serve(descriptor, behaviour)
                close(descriptor)
            }
        }
    }

    func stop() { shutdown(listener, Int32(SHUT_RDWR)) }

    deinit { close(listener) }

    private func serve(_ descriptor: Int32, _ behaviour: Behaviour) {
        while let packet = Self.packet(descriptor) {
            seen.withLock { $0.append(packet) }
            let identifier = packet.count >= 4 ? Array(packet[2..<4]) : [0, 0]
            switch packet[0] >> 4 {
            case 1:
                if let code = behaviour.connack { Self.send([0x20, 2, 0, code], descriptor) }
            case 3:
                let topic = Int(packet[2]) << 8 | Int(packet[3])
                if behaviour.puback { Self.send([0x40, 2] + packet[(4 + topic)..<(6 + topic)], descriptor) }
            case 8: Self.send([0x90, 3] + identifier + [behaviour.suback], descriptor)
            case 10: Self.send([0xB0, 2] + identifier, descriptor)
            case 14: return
            default: break
            }
        }
    }

    /// Packets of less than 128 bytes.
    private static func packet(_ descriptor: Int32) -> [UInt8]? {
        guard let head = read(2, descriptor), head[1] < 128, let body = read(Int(head[1]), descriptor) else {
            return nil
        }
        return head + body
    }

    private static func read(_ count: Int, _ descriptor: Int32) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        var got = 0
        while got < count {
            let more = bytes[got...].withUnsafeMutableBytes { recv(descriptor, $0.baseAddress, $0.count, 0) }
            guard more > 0 else { return nil }
            got += more
        }
        return bytes
    }

    private static func send(_ bytes: [UInt8], _ descriptor: Int32) {
        _ = bytes.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
    }
}
