package import BrokerCore
package import MQTTProtocol

/// A client's end of a connection to a shard: what it has sent that was not yet taken, what lies in its socket, and the
/// packets it has read. It decides nothing; tests and simulated clients do.
package final class TestConnection {
    package let id: ConnectionID
    /// How packets from the server are read; set by the CONNECT that is sent.
    package var version = ProtocolVersion.v5
    /// Bytes the socket holds before it counts as full; nil = the client reads at once.
    package var socketBytesMax: Int?

    /// Sent by the client and not yet taken by the shard.
    var toServer: [UInt8] = []
    /// The shard asked for no more reading.
    package internal(set) var isPaused = false
    package internal(set) var isWritable = true
    /// The shard has decided to end it.
    package internal(set) var isClosing = false
    /// It has gone.
    package internal(set) var isClosed = false
    var closesAt = Int64.max

    /// Written by the shard and not yet read by the client.
    package private(set) var socket: [UInt8] = []
    /// Everything the client has read, as bytes.
    package private(set) var bytes: [UInt8] = []
    /// The most the socket ever held.
    package private(set) var socketBytesPeak = 0
    private var partial: [UInt8] = []
    /// Everything the client has read, as packets; PUBLISH with its topic even where only an alias came.
    package private(set) var packets: [Packet] = []
    /// Why a packet from the server could not be read.
    package private(set) var fault: PacketError?
    private var aliases: [UInt16: MQTTString] = [:]
    /// Alias use as it came, for tests of aliases.
    package private(set) var rawPublishes: [Publish] = []
    private let keepsBytes: Bool

    init(id: ConnectionID, keepsBytes: Bool) {
        self.id = id
        self.keepsBytes = keepsBytes
    }

    func take(_ written: [UInt8]) {
        socket += written
        socketBytesPeak = max(socketBytesPeak, socket.count)
    }

    var isSocketFull: Bool { socketBytesMax.map { socket.count >= $0 } ?? false }
    var isSocketLow: Bool { socketBytesMax.map { socket.count <= $0 / 2 } ?? true }

    /// The client reads up to `count` bytes.
    func read(_ count: Int) {
        let taken = min(count, socket.count)
        guard taken > 0 else { return }
        if keepsBytes { bytes += socket[..<taken] }
        partial += socket[..<taken]
        socket.removeFirst(taken)
        decode()
    }

    private func decode() {
        var consumed = 0
        partial.withUnsafeBytes { all in
            while fault == nil {
                let rest = UnsafeRawBufferPointer(rebasing: all[consumed...])
                do throws(PacketError) {
                    guard
                        let (packet, count) = try Packet.decode(
                            rest, version: version, from: .server, maximumPacketSize: 1 << 28)
                    else { return }
                    consumed += count
                    keep(packet)
                } catch {
                    fault = error
                }
            }
        }
        partial.removeFirst(consumed)
    }

    private func keep(_ packet: Packet) {
        guard case .publish(var publish) = packet else { return packets.append(packet) }
        rawPublishes.append(publish)
        if let alias = publish.properties.topicAlias {
            if publish.topic.isEmpty { publish.topic = aliases[alias] ?? "" } else { aliases[alias] = publish.topic }
        }
        packets.append(.publish(publish))
    }

    /// Takes what has been read since the last call.
    package func takePackets() -> [Packet] {
        defer { packets = [] }
        return packets
    }

    /// The PUBLISHes read so far and not taken.
    package var publishes: [Publish] {
        packets.compactMap { if case .publish(let publish) = $0 { publish } else { nil } }
    }
}
