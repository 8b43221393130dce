import BrokerCore
import MQTTProtocol

/// The far end of a connection: what it has sent that the shard has not taken, and what it has been sent, read as a
/// client would read it.
struct Peer {
    let id: ConnectionID
    let shard: Int
    /// Bytes that the shard has not taken: half a packet, or everything while its reading is paused.
    var unsent: [UInt8] = []
    var isPaused = false
    var isWritable = true
    /// The shard wants it closed.
    var isClosing = false

    /// What CONNECT said, once the shard has taken it.
    private(set) var connect: Connect?
    private var hasSentPacket = false
    private var hasConnack = false
    private var hasDisconnect = false
    private var aliases: Set<UInt16> = []
    private var unread: [UInt8] = []

    init(id: ConnectionID, shard: Int) {
        self.id = id
        self.shard = shard
    }

    var version: ProtocolVersion { connect?.version ?? .v311 }

    /// The shard took these bytes. The first packet among them may be a CONNECT, and says how to read what comes back.
    mutating func taken(_ bytes: ArraySlice<UInt8>) {
        guard !hasSentPacket, !bytes.isEmpty else { return }
        hasSentPacket = true
        if case .packet(.connect(let connect), _) = Outcome(Array(bytes), .v5, from: .client) { self.connect = connect }
    }

    /// The shard's output: whole packets that a server may send to this client now.
    mutating func receive(_ bytes: [UInt8]) {
        unread += bytes
        while !unread.isEmpty {
            switch Outcome(unread, version, from: .server) {
            case .packet(let packet, let consumed):
                check(packet, consumed)
                unread.removeFirst(consumed)
            case .fault(let fault):
                // Refusing a version that it does not know, a server can only answer in one that the client may not know.
                if connect == nil, case .packet(.connack, let consumed) = Outcome(unread, .v5, from: .server) {
                    hasConnack = true
                    unread.removeFirst(consumed)
                    continue
                }
                preconditionFailure("sent to \(id) in \(version): \(fault) in \(unread.prefix(40))")
            case .wait: preconditionFailure("half a packet was sent to \(id): \(unread.prefix(40))")
            }
        }
    }

    private mutating func check(_ packet: Packet, _ size: Int) {
        require(!hasDisconnect, "\(packet.type) after DISCONNECT")
        if case .connack = packet {
            require(!hasConnack, "a second CONNACK")
            hasConnack = true
        } else {
            require(hasConnack, "\(packet.type) before CONNACK")
        }
        if case .disconnect = packet { hasDisconnect = true }
        if let limit = connect?.properties.maximumPacketSize {
            require(size <= Int(limit), "\(packet.type) of \(size) bytes to a client that takes \(limit)")
        }
        guard case .publish(let publish) = packet, let alias = publish.properties.topicAlias else { return }
        require(alias <= connect?.properties.topicAliasMaximum ?? 0, "alias \(alias) is too large")
        require(!publish.topic.isEmpty || aliases.contains(alias), "alias \(alias) stands for nothing")
        aliases.insert(alias)
    }
}
