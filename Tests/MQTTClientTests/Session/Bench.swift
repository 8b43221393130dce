import MQTTClient
import MQTTProtocol

/// A session on a bench: its packets go through the codec both ways, its actions are written down, its clock is moved by
/// hand.
struct Bench: ~Copyable {
    var session: ClientSession
    var codec: ClientCodec
    private(set) var now = ContinuousClock.now
    /// Packets the session sent, read back from their bytes; emptied by `take`.
    private var sent: [Packet] = []
    /// The same as they went over the wire.
    private(set) var wire: [[UInt8]] = []
    private(set) var delivered: [(message: Message, route: ClientAction.Route)] = []
    private(set) var completed: [UInt64: RequestResult] = [:]
    private(set) var refusedFilters: [(TopicFilter, ClientError)] = []
    private(set) var challenges: [[UInt8]?] = []
    private(set) var closes: [ClientError?] = []
    private(set) var connections: [ServerInformation] = []
    private(set) var deadline: ContinuousClock.Instant?

    init(_ configuration: ClientConfiguration = ClientConfiguration(clientIdentifier: "bench")) throws {
        session = try ClientSession(configuration)
        codec = ClientCodec(configuration)
    }

    var version: ProtocolVersion { session.version }

    /// Packets sent since the last call.
    mutating func take() -> [Packet] {
        defer { sent = [] }
        return sent
    }

    mutating func wait(_ duration: Duration) {
        now += duration
        session.timerFired(at: now)
        run()
    }

    mutating func open(data: [UInt8]? = nil) {
        codec = ClientCodec(session.configuration)
        session.transportOpened(authenticationData: data, at: now)
        run()
    }

    /// Opens and accepts, and forgets what was sent for it.
    mutating func connect(sessionPresent: Bool = false, _ change: (inout Connack.Properties) -> Void = { _ in }) {
        open()
        sent = []
        var properties = Connack.Properties()
        change(&properties)
        receive(.connack(Connack(sessionPresent: sessionPresent, reasonCode: .success, properties: properties)))
    }

    mutating func lose() {
        session.transportLost()
        run()
    }

    /// The server sends a packet.
    mutating func receive(_ packet: Packet) {
        var run = ByteRun()
        packet.encode(into: &run, version: version)
        receive(bytes: [UInt8](run.bytes))
    }

    mutating func receive(bytes: [UInt8]) {
        codec.append(bytes)
        do {
            while let packet = try codec.next() { session.receive(packet, at: now) }
        } catch {
            session.receive(malformed: error, at: now)
        }
        run()
    }

    mutating func publish(_ message: Message, as request: UInt64?) throws {
        try session.publish(message, as: request.map { RequestIdentifier($0) }, at: now)
        run()
    }

    @discardableResult
    mutating func subscribe(_ filters: [SubscriptionFilter], as request: UInt64) throws -> SubscriptionHandle {
        let handle = try session.subscribe(to: filters, as: RequestIdentifier(request), at: now)
        run()
        return handle
    }

    mutating func unsubscribe(_ handle: SubscriptionHandle, as request: UInt64) throws {
        try session.unsubscribe(from: handle, as: RequestIdentifier(request), at: now)
        run()
    }

    mutating func acknowledge(_ message: Message) {
        session.acknowledge(message, at: now)
        run()
    }

    /// Does what the session wants.
    mutating func run() {
        while let action = session.nextAction() {
            switch action {
            case .send(let packet): write(packet)
            case .deliver(let message, let route): delivered.append((message, route))
            case .complete(let request, let result):
                precondition(completed[request.value] == nil, "request \(request.value) completed twice")
                completed[request.value] = result
            case .setDeadline(let due): deadline = due
            case .connected(let server): connections.append(server)
            case .authenticate(let data): challenges.append(data)
            case .subscriptionRefused(_, let filter, let error): refusedFilters.append((filter, error))
            case .close(let error): closes.append(error)
            }
        }
    }

    private mutating func write(_ packet: ControlPacket) {
        var bytes: [UInt8] = []
        codec.encode(packet, into: &bytes)
        precondition(bytes.count == packet.encodedSize(version: version), "the size is what is written")
        let read = bytes.withUnsafeBytes { bytes in
            try? Packet.decode(bytes, version: version, from: .client, maximumPacketSize: 268_435_460)
        }
        guard let read, read.consumed == bytes.count else { preconditionFailure("\(packet) cannot be read: \(bytes)") }
        sent.append(read.packet)
        wire.append(bytes)
    }
}

extension Packet {
    var publish: Publish? { if case .publish(let publish) = self { publish } else { nil } }
    var subscribe: Subscribe? { if case .subscribe(let subscribe) = self { subscribe } else { nil } }
    var disconnect: Disconnect? { if case .disconnect(let disconnect) = self { disconnect } else { nil } }
    var connect: Connect? { if case .connect(let connect) = self { connect } else { nil } }
}

extension Bench {
    mutating func disconnect(
        _ code: ReasonCode = .normalDisconnection, expiry: UInt32? = nil, reason: String? = nil
    ) throws {
        try session.disconnect(code, sessionExpiryIntervalSeconds: expiry, reasonString: reason, at: now)
        run()
    }

    mutating func authenticate(_ data: [UInt8]?) throws {
        try session.continueAuthentication(with: data, at: now)
        run()
    }

    mutating func reauthenticate(_ data: [UInt8]?, as request: UInt64) throws {
        try session.reauthenticate(with: data, as: RequestIdentifier(request), at: now)
        run()
    }

    mutating func cancel(_ request: UInt64) {
        session.cancel(RequestIdentifier(request))
        run()
    }

    mutating func setWritable(_ isWritable: Bool) {
        session.setWritable(isWritable, at: now)
        run()
    }
}

extension Bench {
    mutating func subscribe(_ filters: [SubscriptionFilter], identifier: UInt16, as request: UInt64) throws {
        try session.subscribe(to: filters, packetIdentifier: identifier, as: RequestIdentifier(request), at: now)
        run()
    }
}
