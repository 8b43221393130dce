import MQTTClient
import MQTTProtocol

/// Target `client`: a client's session and codec against a server that sends anything. The first byte chooses the version and
/// the settings, the others are orders: calls of the program, bytes from the server, time, cuts. What the session sends
/// must be readable; every request ends once at most, and all end when the session is abandoned.
@_cdecl("martlet_fuzz_client")
package func fuzzClient(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    var bytes = FuzzBytes(data, size)
    let settings = bytes.byte()
    var configuration = ClientConfiguration(clientIdentifier: "f", version: settings & 1 == 0 ? .v311 : .v5)
    configuration.cleanStart = settings & 2 != 0
    if settings & 4 != 0 { configuration.acknowledgement = .byApplication }
    if configuration.version == .v5 {
        if settings & 8 != 0 { configuration.sessionExpiryIntervalSeconds = 60 }
        if settings & 16 != 0 { configuration.authenticationMethod = "M" }
        if settings & 32 != 0 { configuration.requestProblemInformation = false }
        if settings & 64 != 0 { configuration.receiveMaximum = 3 }
    }
    configuration.maximumPacketSize = 10_000
    configuration.queuedMessagesMax = 50
    guard let session = try? ClientSession(configuration) else { preconditionFailure("a configuration that is fine") }
    var run = ClientRun(session: session, codec: ClientCodec(configuration))
    while !bytes.isEmpty { run.step(&bytes) }
    run.finish()
    return 0
}

private struct ClientRun: ~Copyable {
    var session: ClientSession
    var codec: ClientCodec
    var now = ContinuousClock.now
    var requests: UInt64 = 0
    var open: Set<UInt64> = []
    var handles: [SubscriptionHandle] = []
    var delivered: [Message] = []

    init(session: consuming ClientSession, codec: ClientCodec) {
        self.session = session
        self.codec = codec
    }

    mutating func step(_ bytes: inout FuzzBytes) {
        switch bytes.byte() % 12 {
        case 0: begin()
        case 1, 2:
            let qos = bytes.pick(QoS.allCases)
            var message = Message(bytes.pick(["a", "bbbb", "cccc/d"]), bytes.take(Int(bytes.byte() % 40)), qos: qos)
            message.retain = bytes.byte() & 1 == 1
            if bytes.byte() & 1 == 1 { message.properties.messageExpiryIntervalSeconds = UInt32(bytes.byte()) }
            ask { session, request, now in try session.publish(message, as: request, at: now) }
        case 3:
            let filters = [
                SubscriptionFilter(bytes.pick(["a", "#", "+/d", "$share/g/a"]), qos: bytes.pick(QoS.allCases))
            ]
            var handle: SubscriptionHandle?
            ask { session, request, now in handle = try session.subscribe(to: filters, as: request, at: now) }
            if let handle { handles.append(handle) }
        case 4:
            guard !handles.isEmpty else { return }
            let handle = handles.remove(at: Int(bytes.byte()) % handles.count)
            ask { session, request, now in try session.unsubscribe(from: handle, as: request, at: now) }
        case 5: session.cancel(RequestIdentifier(UInt64(bytes.byte()) % (requests + 1)))
        case 6:
            now += .milliseconds(Int(bytes.byte()) * 500)
            session.timerFired(at: now)
        case 7: session.setWritable(bytes.byte() & 1 == 1, at: now)
        case 8: receive(bytes.take(Int(bytes.byte())))
        case 9:
            if bytes.byte() & 1 == 1 { session.transportLost() } else { try? session.disconnect(at: now) }
        case 10:
            guard !delivered.isEmpty else { return }
            session.acknowledge(delivered.remove(at: Int(bytes.byte()) % delivered.count), at: now)
        default:
            if bytes.byte() & 1 == 1 {
                try? session.continueAuthentication(with: [1], at: now)
            } else {
                ask { session, request, now in try session.reauthenticate(with: nil, as: request, at: now) }
            }
        }
        obey()
    }

    private mutating func begin() {
        guard session.state == .disconnected else { return }
        codec = ClientCodec(session.configuration)
        session.transportOpened(at: now)
    }

    private mutating func ask(
        _ body: (inout ClientSession, RequestIdentifier, ClientSession.Instant) throws -> Void
    ) {
        requests += 1
        open.insert(requests)
        do {
            try body(&session, RequestIdentifier(requests), now)
        } catch {
            open.remove(requests)
        }
    }

    private mutating func receive(_ bytes: [UInt8]) {
        codec.append(bytes)
        do throws(PacketError) {
            while session.state != .disconnected, let packet = try codec.next() { session.receive(packet, at: now) }
        } catch {
            session.receive(malformed: error, at: now)
            require(session.state == .disconnected, "a fault leaves the connection open")
        }
    }

    private mutating func obey() {
        while let action = session.nextAction() {
            switch action {
            case .send(let packet):
                var bytes: [UInt8] = []
                codec.encode(packet, into: &bytes)
                let read = bytes.withUnsafeBytes {
                    try? Packet.decode($0, version: session.version, from: .client, maximumPacketSize: 1_000_000)
                }
                require(read?.consumed == bytes.count, "\(packet) cannot be read: \(bytes)")
                if let limit = session.server?.maximumPacketSize, session.state == .connected, packet.type == .publish {
                    require(bytes.count <= Int(limit), "\(bytes.count) bytes where \(limit) are allowed")
                }
            case .deliver(let message, _): if delivered.count < 100 { delivered.append(message) }
            case .complete(let request, _): require(open.remove(request.value) != nil, "request \(request) ended twice")
            default: break
            }
        }
    }

    mutating func finish() {
        session.abandon()
        obey()
        require(open.isEmpty, "requests left: \(open)")
        require(session.packetIdentifiersInUse == 0 && session.queuedMessages == 0, "something is left")
    }
}
