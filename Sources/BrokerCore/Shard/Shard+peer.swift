package import MQTTProtocol

/// The shard's neighbours: who they are and what is to be said to each at the tick's end.
struct Neighbourhood {
    let index: Int
    let count: Int
    /// The same for all shards: decides which one keeps what.
    let key: UInt64
    var batches: [PeerBatch]
    /// Answers that go out a tick later, so that whoever hears them also finds what was sent before them.
    var answers: [(shard: Int, PeerEvent)] = []
    /// What this tick's batches ask to be confirmed under: for our own clients' doings, and for what neighbours'
    /// batches set off.
    var own = Confirmation()
    var relayed = Confirmation()
    /// And for messages handed to members who were gone, on their way back to their groups' shards.
    var returned = Confirmation()
    /// Filters that neighbours have subscribers for: so many entries of the tree are theirs.
    var interestCount = 0
    /// What receivers have of messages whose publishers did not hear it before the server last stopped.
    var shares: [Exchange.Key: Set<UInt64>] = [:]
    /// A neighbour's batch is being handled.
    var isRelaying = false
    var ways: [Way]

    /// What is on the way between this shard and one neighbour.
    struct Way {
        /// Bytes of messages said and, as far as we know, not taken there.
        var bytes = 0
        /// Publishers that wait until less is on the way.
        var waiters = Waiters()
        /// Bytes of messages taken from there that it has not been told of.
        var taken = 0
    }
    /// Something of that batch was turned away, and its publisher is to hear of it.
    var hasRefused = false

    /// A token, and the neighbours whose batch of this tick carries it.
    struct Confirmation {
        var token: StorageToken?
        var wanted: Set<Int> = []
    }

    init(index: Int, count: Int, key: UInt64) {
        self.index = index
        self.count = count
        self.key = key
        batches = Array(repeating: PeerBatch(), count: count)
        ways = Array(repeating: Way(), count: count)
    }

    var isAlone: Bool { count == 1 }
    var hasTick: Bool { own.token != nil || relayed.token != nil || hasWork }
    var hasWork: Bool { !answers.isEmpty || batches.contains { !$0.isEmpty } }

    /// The shard that keeps what these bytes name: a client's session, a group, a topic's retained order.
    func home(_ bytes: UnsafeRawBufferPointer) -> Int {
        Neighbourhood.home(bytes, count: count, key: key)
    }

    static func home(_ bytes: UnsafeRawBufferPointer, count: Int, key: UInt64) -> Int {
        guard count > 1, let base = bytes.baseAddress else { return 0 }
        return Int(keyedHash(base, bytes.count, key: key) % UInt64(count))
    }

    mutating func say(_ event: PeerEvent, to shard: Int) { batches[shard].events.append(event) }

    /// Puts a message into a neighbour's batch.
    mutating func pack(
        _ parts: MessageParts, for shard: Int, from origin: Origin?, exchange: Exchange?
    ) -> PeerMessage {
        let message = PeerMessage(
            offset: batches[shard].bytes.count, topicLength: parts.topic.count,
            propertiesLength: parts.properties.count, payloadLength: parts.payload.count, qos: parts.qos,
            retain: parts.retain, expiresAt: parts.expiresAt, publisher: parts.publisher, origin: origin,
            exchange: exchange)
        batches[shard].wayBytes += message.wayBytes
        ways[shard].bytes += message.wayBytes
        batches[shard].bytes.append(contentsOf: parts.topic)
        batches[shard].bytes.append(contentsOf: parts.properties)
        batches[shard].bytes.append(contentsOf: parts.payload)
        return message
    }
}

/// An answer that a neighbour waits for while something here is open.
final class OwedAnswer {
    let shard: Int
    let token: StorageToken
    var left: Int
    var failure: StorageFailure?

    init(shard: Int, token: StorageToken, left: Int) {
        self.shard = shard
        self.token = token
        self.left = left
    }
}

extension Shard {
    /// Which of `count` shards keeps the session of this client: connections go there.
    package static func home(of client: MQTTString, count: Int, key: UInt64) -> Int {
        client.bytes.withUnsafeBytes { Neighbourhood.home($0, count: count, key: key) }
    }

    /// Which shard a new connection belongs to, by the CONNECT at its start.
    package enum Home: Equatable, Sendable {
        /// CONNECT has not come whole.
        case unknown
        case shard(Int)
        /// Whichever: it cannot be read, or brings no identifier.
        case any
    }

    /// Looks into the first bytes of a connection that came by this listener and is this, if TLS says so.
    package static func home(
        ofConnection bytes: UnsafeRawBufferPointer, count: Int, key: UInt64, packetSizeMax: Int,
        listener: ListenerSettings = ListenerSettings(), identity: MQTTString? = nil
    ) -> Home {
        let limit = packetSizeMax == 0 ? Int.max : packetSizeMax
        do throws(PacketError) {
            guard let header = try FrameHeader.parse(bytes, maximumPacketSize: limit) else { return .unknown }
            guard header.type == PacketType.connect.rawValue else { return .any }
            guard header.totalLength <= bytes.count else { return .unknown }
            let body = UnsafeRawBufferPointer(rebasing: bytes[header.headerLength..<header.totalLength])
            let connect = try Connect.decode(body, flags: header.flags)
            var client = connect.clientIdentifier
            if listener.takesClientIdentifierFromUserName {
                guard let name = listener.takesUserNameFromIdentity ? identity : connect.userName else { return .any }
                client = name
            }
            if client.isEmpty { return .any }
            return .shard(home(of: client, count: count, key: key))
        } catch {
            return .any
        }
    }

    // MARK: Saying

    /// A message for a neighbour's subscribers.
    mutating func forward(to shard: Int, _ dispatch: inout Dispatch) {
        let message = pack(dispatch.parts, for: shard, from: origin(of: &dispatch), exchange: dispatch.exchange)
        neighbours.say(.publish(message), to: shard)
        dispatch.receivers &+= 1
        if dispatch.parts.qos > 0 { confirm(by: shard, &dispatch) }
    }

    /// The publisher is told when this neighbour has it.
    mutating func confirm(by shard: Int, _ dispatch: inout Dispatch) {
        dispatch.confirmation = confirmation(by: [shard])
    }

    /// The token under which these neighbours confirm this tick's batch.
    mutating func confirmation(by shards: [Int]) -> StorageToken {
        var confirmation = neighbours.isRelaying ? neighbours.relayed : neighbours.own
        let token = confirmation.token ?? storage.openConfirmation()
        confirmation.token = token
        confirmation.wanted.formUnion(shards)
        if neighbours.isRelaying { neighbours.relayed = confirmation } else { neighbours.own = confirmation }
        return token
    }

    /// A message goes back to its group's shard; whoever waits for it is answered after that has found another member. The
    /// answers to it wait for others in turn, but only where a member has left again: no circle closes.
    mutating func awaitReturn(to shard: Int) {
        neighbours.returned.token = neighbours.returned.token ?? storage.openConfirmation()
        neighbours.returned.wanted.insert(shard)
    }

    /// Everybody but this shard.
    var others: [Int] { (0..<neighbours.count).filter { $0 != index } }

    /// Something that all neighbours must have heard before `continuation` goes on.
    mutating func whenAllHaveHeard(_ continuation: StorageDesk.Continuation) {
        storage.await(confirmation(by: others), continuation)
    }

    /// Tells the neighbours that this shard wants a filter, or no more.
    mutating func announce(_ filter: UnsafeRawBufferPointer, isWanted: Bool) {
        for shard in 0..<neighbours.count where shard != index {
            neighbours.say(.interest(filter: [UInt8](filter), isWanted: isWanted), to: shard)
        }
    }

    /// The tick's batches, as effects.
    mutating func takePeerBatches() {
        guard !neighbours.isAlone, neighbours.hasTick else { return }
        for shard in neighbours.own.wanted { neighbours.batches[shard].confirm = neighbours.own.token }
        for shard in neighbours.relayed.wanted { neighbours.batches[shard].relayConfirm = neighbours.relayed.token }
        for shard in neighbours.returned.wanted { neighbours.batches[shard].returnConfirm = neighbours.returned.token }
        if let token = neighbours.own.token { storage.expect(answers: neighbours.own.wanted.count, of: token) }
        if let token = neighbours.relayed.token { storage.expect(answers: neighbours.relayed.wanted.count, of: token) }
        if let token = neighbours.returned.token {
            storage.expect(answers: neighbours.returned.wanted.count, of: token)
        }
        neighbours.own = Neighbourhood.Confirmation()
        neighbours.relayed = Neighbourhood.Confirmation()
        neighbours.returned = Neighbourhood.Confirmation()
        for shard in 0..<neighbours.count where !neighbours.batches[shard].isEmpty {
            effects.append(.tell(shard: shard, neighbours.batches[shard]))
            neighbours.batches[shard] = PeerBatch()
        }
        // Heard a tick later than what was sent before them.
        for (shard, answer) in neighbours.answers { neighbours.say(answer, to: shard) }
        neighbours.answers.removeAll(keepingCapacity: true)
    }

    // MARK: Hearing

    /// A neighbour spoke.
    package mutating func handle(_ batch: PeerBatch, from shard: Int, at now: Int64) {
        self.now = now
        neighbours.isRelaying = true
        for event in batch.events { handle(event, batch, from: shard) }
        neighbours.isRelaying = false
        tellTaken(batch, to: shard)
        let failure = neighbours.hasRefused ? StorageFailure.quota : nil
        neighbours.hasRefused = false
        // Kept when everything that the batch set off is kept: in storage, and with other neighbours.
        let (kept, relayed, returned) = (storage.openBatch, neighbours.relayed.token, neighbours.returned.token)
        if let token = batch.confirm { confirm(token, to: shard, after: [kept, relayed, returned], failure) }
        if let token = batch.relayConfirm { confirm(token, to: shard, after: [kept, returned], failure) }
        if let token = batch.returnConfirm { confirm(token, to: shard, after: [kept, relayed], failure) }
    }

    /// Answers a neighbour when everything here has been answered.
    private mutating func confirm(
        _ token: StorageToken, to shard: Int, after waits: [StorageToken?], _ failure: StorageFailure?
    ) {
        let open = waits.compactMap(\.self)
        guard !open.isEmpty else { return neighbours.answers.append((shard, .kept(token, failure))) }
        let owed = OwedAnswer(shard: shard, token: token, left: open.count)
        owed.failure = failure
        for wait in open { storage.await(wait, .confirm(owed)) }
    }

    /// One of the things that a neighbour's answer waits for is there; one failure is enough for a no.
    mutating func settle(_ owed: OwedAnswer, _ failure: StorageFailure?) {
        owed.left -= 1
        if let failure { owed.failure = failure }
        if owed.left == 0 { neighbours.answers.append((owed.shard, .kept(owed.token, owed.failure))) }
    }

    private mutating func handle(_ event: PeerEvent, _ batch: PeerBatch, from shard: Int) {
        switch event {
        case .interest(let filter, let isWanted): hearInterest(filter, isWanted, shard)
        case .publish(let message):
            withParts(message, batch) { shard, parts in
                var dispatch = Dispatch(parts: parts)
                dispatch.isFromNeighbour = true
                dispatch.remote = message.origin
                dispatch.exchange = message.exchange
                dispatch.expirySeconds = shard.remainingSeconds(parts.expiresAt)
                guard let plan = try? shard.plan(for: parts.topic) else { return }  // checked where it came in
                shard.forward(plan, &dispatch)
            }
        case .retain(let message, let source):
            withParts(message, batch) { $0.orderRetained($1, by: source, from: message.origin) }
        case .retained(let message, let source):
            withParts(message, batch) { $0.applyRetained($1, by: source) }
        case .kept(let token, let failure):
            storage.heard(token, failure)
            settleAnswers()
        case .join(let group, let session, let generation, let options, let identifier, let subject):
            let member = PeerMember(shard: shard, session: session, generation: generation)
            joinHere(group, member, options, identifier, subject)
        case .leave(let group, let session, let generation):
            leaveHere(group, PeerMember(shard: shard, session: session, generation: generation))
        case .presence(let group, let session, let generation, let isOnline):
            setPresence(group, PeerMember(shard: shard, session: session, generation: generation), isOnline)
        case .hand(let session, let generation, let message, let group, let options, let identifier):
            withParts(message, batch) { here, parts in
                here.take(parts, message, session, generation, group, options, identifier)
            }
        case .orphan(let group, let message):
            withParts(message, batch) { shard, parts in shard.redispatch(parts, group, message) }
        case .hold(let id): if exists(id) { pause(id.slot) }
        case .letGo(let id): if exists(id) { resume(id.slot) }
        case .forget(let key): neighbours.shares[key] = nil
        case .taken(let bytes): hearTaken(bytes, by: shard)
        }
    }

    private mutating func hearInterest(_ filter: [UInt8], _ isWanted: Bool, _ shard: Int) {
        filter.withUnsafeBytes { bytes in
            let place = peerPlace(of: bytes, shard)
            if isWanted, place == nil {
                neighbours.interestCount += 1
                _ = routes.subscribe(
                    bytes, Subscriber(kind: .shard, slot: UInt32(shard), options: DeliveryOptions(qos: .exactlyOnce)))
            } else if !isWanted, let place {
                neighbours.interestCount -= 1
                if let moved = routes.remove(at: place) { reseat(moved, at: place) }
            }
            invalidate(bytes)
        }
    }

    private func peerPlace(of filter: UnsafeRawBufferPointer, _ shard: Int) -> SubscriptionPlace? {
        guard let node = routes.find(filter), let list = routes.list(at: node) else { return nil }
        let entries = SubscriptionTree.List.entries(list)
        for i in 0..<Int(list.pointee.count) where entries[i].kind == .shard && entries[i].slot == UInt32(shard) {
            return SubscriptionPlace(node: node, index: UInt32(i))
        }
        return nil
    }

    /// The parts of a packed message, borrowed from its batch.
    private mutating func withParts(
        _ message: PeerMessage, _ batch: PeerBatch, _ body: (inout Shard, MessageParts) -> Void
    ) {
        batch.bytes.withUnsafeBytes { bytes in
            var at = message.offset
            func part(_ length: Int) -> UnsafeRawBufferPointer {
                defer { at += length }
                return UnsafeRawBufferPointer(rebasing: bytes[at..<(at + length)])
            }
            let topic = part(message.topicLength)
            let properties = part(message.propertiesLength)
            let payload = part(message.payloadLength)
            body(
                &self,
                MessageParts(
                    topic: topic, properties: properties, payload: payload, qos: message.qos, retain: message.retain,
                    expiresAt: message.expiresAt, publisher: message.publisher))
        }
    }
}
