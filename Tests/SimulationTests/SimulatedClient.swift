import MQTTProtocol
import SeededRandom
import ShardTestKit

/// A client as the standard wants it, with a bad network: bytes wait in `unsent`, are cut in the middle, are read
/// slowly or never. It keeps its half of every QoS 1 and 2 exchange across connections.
final class SimulatedClient {
    /// How its session lives.
    enum Kind {
        /// Ends with every connection.
        case clean
        /// Ends after some seconds without a connection; 5.0 only.
        case mortal
        /// Never ends.
        case persistent
    }

    enum Phase { case offline, connecting, online }

    /// The will of its last connection.
    struct LastWill {
        var key: MessageKey
        var topic: String
        /// An answer that waits for the session's record has come since: the will is kept.
        var isKept = false
        /// When the broker noticed that the connection was gone, or began again without it; nil = it may not know.
        var lostAt: Int64?
    }

    struct Outgoing {
        var identifier: UInt16
        var publish: Publish
        var key: MessageKey
        var isRetained: Bool
        /// PUBREC came: PUBREL goes out until PUBCOMP comes.
        var isReleased = false
    }

    let index: Int
    let version: ProtocolVersion
    let kind: Kind
    /// The shared subscription it is a member of; such a client has no other subscription.
    let group: String?
    /// Messages it lets the server send without acknowledgement; 5.0 only.
    let receiveMaximum: Int
    /// Seconds; 0 = off.
    let keepAlive: UInt16
    /// Seconds between the loss of its connection and its will; nil = it leaves none.
    let willDelay: UInt32?
    /// Bytes its socket holds; small ones make slow readers.
    let socketBytes: Int

    var phase = Phase.offline
    var wire: TestConnection?
    /// Connections it has given up without telling anybody.
    var abandoned: [TestConnection] = []
    /// Encoded and not yet handed to the network.
    var unsent: [UInt8] = []
    /// Replies it has not got round to.
    var replies: [Packet] = []

    /// The server has, as far as it knows, a session for it.
    var isEstablished = false
    /// Something was answered that waits for the session's record: from now on no crash may take it.
    var isKept = false
    /// The broker was lost since the session began, and what was not kept went with it.
    var hasCrashed = false
    /// A CONNACK was missed: a session that may end has perhaps been replaced by an empty one.
    var isUncertain = false
    /// Its session took the place of another.
    var isAnew = false
    /// 3.x can only begin anew with a session that ends: it leaves, and comes back for one that does not.
    var mustReconnect = false
    /// QoS 1 and 2 exchanges under way, oldest first.
    var outgoing: [Outgoing] = []
    var lastIdentifier: UInt16 = 0
    var sequence = 0
    var sendLimit = 1
    /// QoS 2 identifiers received and not yet released.
    var held: Set<UInt16> = []
    /// Those among them that retained messages came under.
    var heldRetained: Set<UInt16> = []
    /// Received on this connection and not yet acknowledged.
    var unacknowledged: Set<UInt16> = []
    /// Filters whose SUBACK has been read, and the QoS asked for.
    var subscriptions: [String: QoS] = [:]
    var pending: [UInt16: String] = [:]
    var will: LastWill?
    /// It reads nothing until this step.
    var idleUntil = 0
    /// After a crash: when its session, which the disk had, is over.
    var endsAt: Int64?
    /// The time at its broker when it began to connect, and when it last read.
    var connectedAt: Int64 = 0
    var clock: Int64 = 0
    /// What it finds retained, at the end.
    var retained: [String: MessageKey] = [:]

    init(index: Int, version: ProtocolVersion, kind: Kind, group: String?, random: inout SeededGenerator) {
        self.index = index
        self.version = version
        self.kind = kind
        self.group = group
        receiveMaximum = version == .v5 ? [1, 2, 7, 65_535][random.below(4)] : 65_535
        keepAlive = random.chance(30) ? 60 : 0
        socketBytes = [200, 4_000, 100_000][random.below(3)]
        lastIdentifier = random.chance(20) ? 65_530 : 0
        let leavesWill = version == .v5 && kind == .persistent && group == nil && random.chance(50)
        willDelay = leavesWill ? UInt32(1 + random.below(15)) : nil
    }

    var name: MQTTString { MQTTString("client-\(index)") }

    /// The QoS it asks for with a filter is always the same.
    func qos(for filter: String) -> QoS {
        // Of members whose sessions end only QoS 1 is promised to the others. [5.0 MQTT-4.8.2-5]
        if group != nil { return index % 2 == 0 || kind == .clean ? .atLeastOnce : .exactlyOnce }
        return QoS(rawValue: UInt8((filter.utf8.reduce(index) { $0 &* 31 &+ Int($1) } & 0xFFFF) % 3)) ?? .atMostOnce
    }

    func nextIdentifier() -> UInt16 {
        repeat {
            lastIdentifier = lastIdentifier == .max ? 1 : lastIdentifier + 1
        } while outgoing.contains { $0.identifier == lastIdentifier } || pending[lastIdentifier] != nil
        return lastIdentifier
    }

    func put(_ packet: Packet) { unsent += packet.bytes(version) }

    var connectPacket: Connect {
        let isClean = kind == .clean || isUncertain
        var connect = Connect(
            version: version, cleanStart: isClean, keepAliveSeconds: keepAlive, clientIdentifier: name)
        if version == .v5 {
            connect.properties.sessionExpiryIntervalSeconds =
                switch kind {
                case .clean: nil
                case .mortal: 5
                case .persistent: .max
                }
            if receiveMaximum < 65_535 { connect.properties.receiveMaximum = UInt16(receiveMaximum) }
            if index % 3 == 0 { connect.properties.topicAliasMaximum = 4 }
            if let will, let willDelay {
                connect.will = Will(
                    topic: MQTTString(will.topic), payload: will.key.bytes, qos: .atLeastOnce, retain: false,
                    delayIntervalSeconds: willDelay)
            }
        }
        return connect
    }

    /// The connection is over, whoever ended it.
    func loseConnection() {
        if phase == .connecting, kind == .mortal || (kind == .persistent && hasCrashed && !isKept) {
            isUncertain = true
        }
        if phase == .connecting { endsAt = nil }
        phase = .offline
        idleUntil = 0
        mustReconnect = false
        wire = nil
        unsent = []
        replies = []
        pending = [:]
        unacknowledged = []
    }

    /// The server has no session for it: nothing of the old one counts.
    func forgetSession(_ model: inout Model) {
        model.trace("client \(index), \(kind), begins anew")
        outgoing = []
        held = []
        heldRetained = []
        subscriptions = [:]
        isEstablished = false
        isKept = false
        hasCrashed = false
        model.forgive(index)
        if let group, kind != .clean { model.handOn(group: group) }
        if let group, kind != .clean || model.hasRefusals { model.forgive(group: group) }
    }

    /// The broker is gone, with everything it had not kept.
    func loseBroker(hasRefusals: Bool) {
        abandoned = []
        loseConnection()
        guard kind != .clean else { return }
        hasCrashed = true
        isEstablished = isKept
        // Where storage refuses, retained messages under way to a new subscription are not kept, nor are their identifiers.
        if hasRefusals { held.subtract(heldRetained) }
        heldRetained = []
        // 3.1 does not say whether the session is there. And where storage refuses to forget, CONNACK is said all the same:
        // the session that was begun anew may have been lost, and the one before it found again.
        if version == .v31 || (isAnew && hasRefusals), !isKept { isUncertain = true }
    }
}
