import Foundation
import Glibc
import MQTTProtocol
import Synchronization

/// A broker that does what a script says, byte by byte: a listening socket on loopback, one thread, one connection after
/// another.
final class ScriptedPeer: Sendable {
    struct Unexpected: Error, CustomStringConvertible { let description: String }

    /// One client at the other end. Reads wait a minute at most: on a busy machine the client may be late.
    final class Connection {
        let version: ProtocolVersion
        private let descriptor: Int32
        private var buffer: [UInt8] = []

        init(_ descriptor: Int32, _ version: ProtocolVersion) {
            self.descriptor = descriptor
            self.version = version
            var limit = timeval(tv_sec: 60, tv_usec: 0)
            setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        }

        func send(_ packet: Packet) throws {
            var run = ByteRun()
            packet.encode(into: &run, version: version)
            try send([UInt8](run.bytes))
        }

        func send(_ bytes: [UInt8]) throws {
            var sent = 0
            while sent < bytes.count {
                let count = bytes[sent...].withUnsafeBytes {
                    Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
                }
                guard count > 0 else { throw Unexpected(description: "cannot send: errno \(errno)") }
                sent += count
            }
        }

        /// Sends as much as goes without waiting; returns how many bytes did.
        func offer(_ bytes: ArraySlice<UInt8>) -> Int {
            max(
                0,
                bytes.withUnsafeBytes {
                    Glibc.send(
                        descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
                })
        }

        /// The next packet; nil at the end of the stream.
        func next() throws -> Packet? {
            while true {
                let read = try buffer.withUnsafeBytes {
                    try Packet.decode($0, version: version, from: .client, maximumPacketSize: 10_000_000)
                }
                if let read {
                    buffer.removeFirst(read.consumed)
                    return read.packet
                }
                var bytes = [UInt8](repeating: 0, count: 65_536)
                let count = recv(descriptor, &bytes, bytes.count, 0)
                if count == 0 { return nil }
                guard count > 0 else { throw Unexpected(description: "nothing came: errno \(errno)") }
                buffer += bytes[..<count]
            }
        }

        func expect(_ type: PacketType) throws -> Packet {
            guard let packet = try next() else { throw Unexpected(description: "closed instead of \(type)") }
            guard packet.type == type else { throw Unexpected(description: "\(packet) instead of \(type)") }
            return packet
        }

        func expectClosed() throws {
            if let packet = try next() { throw Unexpected(description: "\(packet) instead of the end") }
        }

        /// CONNECT and a favourable CONNACK.
        @discardableResult
        func accept(
            sessionPresent: Bool = false, _ change: (inout Connack.Properties) -> Void = { _ in }
        ) throws -> Connect {
            guard case .connect(let connect) = try expect(.connect) else { throw Unexpected(description: "no CONNECT") }
            var properties = Connack.Properties()
            change(&properties)
            try send(.connack(Connack(sessionPresent: sessionPresent, reasonCode: .success, properties: properties)))
            return connect
        }

        /// DISCONNECT and the end; a subscription whose reader has gone may be given up before.
        func expectGoodbye() throws {
            while true {
                switch try next() {
                case .unsubscribe(let unsubscribe)?:
                    try send(
                        .unsuback(
                            Unsuback(
                                packetIdentifier: unsubscribe.packetIdentifier,
                                reasonCodes: unsubscribe.filters.map { _ in .success })))
                case .disconnect?: return try expectClosed()
                case let other:
                    throw Unexpected(description: "\(other.map { "\($0)" } ?? "the end") instead of DISCONNECT")
                }
            }
        }

        func close() { Glibc.close(descriptor) }
    }

    let port: Int
    private let descriptor: Int32
    private let failure = Mutex<String?>(nil)
    private let done = DispatchSemaphore(value: 0)

    /// - Parameter scripts: one for each connection, in order. A script's connection is closed when it ends.
    init(version: ProtocolVersion = .v5, _ scripts: [@Sendable (Connection) throws -> Void]) throws {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        self.descriptor = descriptor
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isListening = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                bind(descriptor, pointer, length) == 0 && listen(descriptor, 16) == 0
                    && getsockname(descriptor, pointer, &length) == 0
            }
        }
        guard isListening else { throw Unexpected(description: "cannot listen: errno \(errno)") }
        port = Int(UInt16(bigEndian: address.sin_port))
        Thread.detachNewThread { [self] in play(scripts, version) }
    }

    deinit { Glibc.close(descriptor) }

    private func play(_ scripts: [@Sendable (Connection) throws -> Void], _ version: ProtocolVersion) {
        defer { done.signal() }
        for (index, script) in scripts.enumerated() {
            var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            guard poll(&waiting, 1, 60_000) == 1 else {
                return failure.withLock { $0 = "connection \(index + 1) of \(scripts.count) never came" }
            }
            let accepted = accept(descriptor, nil, nil)
            let connection = Connection(accepted, version)
            do {
                try script(connection)
            } catch {
                failure.withLock { $0 = "connection \(index + 1): \(error)" }
            }
            connection.close()
        }
    }

    /// Waits until the scripts are through; what went wrong in them, nil = nothing.
    func finish() async -> String? {
        await withCheckedContinuation { continuation in
            Thread.detachNewThread { [self] in
                let inTime = done.wait(timeout: .now() + 60) == .success
                continuation.resume(
                    returning: inTime ? failure.withLock { $0 } : "the scripts did not come to their end")
            }
        }
    }
}
