import MQTTClient

#if canImport(Darwin)
import Darwin
#else
import Glibc
#endif

/// The chat from its settings to its exit status: everything that happens comes in one queue, the conversation says what is to be
/// done, and this does it. Before: the command line. After: `Outbox` toward the broker, `ChatFront` toward the person.
package struct ChatRun {
    /// Requests that may wait for the broker before no more input is read.
    private static let waitingMax = 200
    /// In 3.1.1 a broker cannot say that another program took our session; so often in a row, that soon, is taken as a sign.
    private static let takeoversMax = 8
    private static let takeoverTime = Duration.seconds(3)

    /// Between two paintings of the screen: a flood of messages costs no more than a film.
    private static let paintInterval = Duration.milliseconds(16)

    /// Everything that can happen.
    enum Input: Sendable {
        case state(ConnectionState)
        case ended(ClientError?)
        case message(Message, Listening)
        case readerEnded(Listening, ClientError?)
        case answered(Outbox.Answer)
        case packet(PacketNote)
        /// A PUBLISH went by, for somebody or nobody.
        case noticed([UInt8])
        case console(Console.Input)
        case timer
        /// The screen may be painted again.
        case paint
    }

    private let settings: ChatSettings
    private let client: MQTTClient
    private let inputs: AsyncStream<Input>
    private let continuation: AsyncStream<Input>.Continuation
    private let requests: AsyncStream<ChatAction>
    private let outbox: AsyncStream<ChatAction>.Continuation
    private let console: Console?

    private var conversation: Conversation
    private var front: ChatFront
    private var trail = PacketTrail()
    private var readers: [Listening: AsyncStream<Void>.Continuation] = [:]
    /// The broker's answers that are outstanding.
    private var waiting = 0
    private var wantsInput = false
    private var hasListed = false
    private var lastNumber = 0
    /// Packets for the next event that is told.
    private var packets: [PacketNote] = []
    private var timer: Task<Void, Never>?
    private var end: Result<Void, ClientError>?
    /// When the present or last connection began.
    private var connectedAt: ContinuousClock.Instant?
    private var isConnected = false
    private var takeovers = 0
    private var paintedAt: ContinuousClock.Instant?
    private var isPaintDue = false
    private var failure: String?

    /// Runs until the person leaves or nothing can be done any more.
    /// - Returns: the exit status: 0 after a proper goodbye, 1 otherwise.
    package static func run(_ settings: ChatSettings) async -> Int32 {
        do throws(ClientError) {
            var run = try ChatRun(settings)
            return await run.go()
        } catch {
            ChatFront.complain("Error: \(error)")
            return 1
        }
    }

    private init(_ settings: ChatSettings) throws(ClientError) {
        self.settings = settings
        let (inputs, continuation) = AsyncStream.makeStream(of: Input.self)
        (self.inputs, self.continuation) = (inputs, continuation)
        (requests, outbox) = AsyncStream.makeStream(of: ChatAction.self)
        client = try MQTTClient(
            settings.endpoint, try settings.configuration(),
            observer: { direction, packet in
                continuation.yield(.packet(PacketNote(direction, packet)))
                if direction == .received, let message = packet.message {
                    continuation.yield(.noticed(message.topic.utf8))
                }
            })
        conversation = Conversation(
            name: settings.name, groups: settings.memory?.read() ?? [], stays: settings.stays,
            nonce: String(UInt64.random(in: 0 ... .max), radix: 36))
        front = ChatFront(settings)
        console = Console(signals: [SIGINT, SIGTERM, SIGHUP, SIGWINCH, SIGCONT]) {
            continuation.yield(.console($0))
        }
    }

    private mutating func go() async -> Int32 {
        front.open()
        await withTaskGroup(of: Void.self) { group in
            let (client, continuation, name) = (client, continuation, settings.name)
            group.addTask {
                do throws(ClientError) {
                    try await client.run()
                    continuation.yield(.ended(nil))
                } catch {
                    continuation.yield(.ended(error))
                }
            }
            group.addTask { for await state in client.states { continuation.yield(.state(state)) } }
            group.addTask { [requests] in
                var outbox = Outbox(client: client, name: name)
                for await request in requests { continuation.yield(.answered(await outbox.perform(request))) }
            }
            if front.isScreen { console?.ready() }
            for await input in inputs {
                receive(input, &group)
                obey()
                if front.isBroken, conversation.phase != .leaving, conversation.phase != .over {
                    leave(at: .now)
                    obey()
                }
                front.look(&conversation)
                show()
                if end != nil, readers.isEmpty, waiting == 0 { break }
            }
            outbox.finish()
            timer?.cancel()
            group.cancelAll()
        }
        front.close()
        if let failure { front.fail(failure) }
        return failure == nil ? 0 : 1
    }

    /// Paints the screen now, or a moment later where it has just been painted.
    private mutating func show() {
        guard front.isScreen, !isPaintDue else { return }
        let now = ContinuousClock.now
        if let paintedAt, now - paintedAt < Self.paintInterval {
            isPaintDue = true
            Task { [continuation] in
                try? await Task.sleep(for: Self.paintInterval)
                continuation.yield(.paint)
            }
            return
        }
        paintedAt = now
        front.update(conversation)
    }

    // MARK: What happens

    private mutating func receive(_ input: Input, _ group: inout TaskGroup<Void>) {
        let now = ContinuousClock.now
        switch input {
        case .state(let state): receive(state, at: now)
        case .ended(let error):
            end = error.map { .failure($0) } ?? .success(())
            if let error, failure == nil { failure = Self.words(error, settings) }
            conversation.closed()
            readers.values.forEach { $0.finish() }
        case .message(let message, let listening):
            let told = lastNumber
            packets = trail.notes(of: message, event: told + 1)
            conversation.receive(
                topic: message.topic.utf8, payload: message.payload, receipt: Self.receipt(message), at: now)
            obey()
            packets = []
            if lastNumber == told { trail.forget(message) }
            readers[listening]?.yield()
        case .readerEnded(let listening, let error):
            readers.removeValue(forKey: listening)?.finish()
            if let error, end == nil { tell(.refused("\(error)")) }
        case .answered(let answer): receive(answer, at: now, &group)
        case .packet(let note):
            if let (event, notes) = trail.observe(note), settings.explains { front.follow(notes, of: event) }
        case .noticed(let topic): conversation.noticed(topic: topic)
        case .console(let input): receive(input, at: now)
        case .timer: conversation.timerFired(at: now)
        case .paint: isPaintDue = false
        }
    }

    private mutating func receive(_ state: ConnectionState, at now: ContinuousClock.Instant) {
        switch state {
        case .idle, .closed: break
        case .connecting(let attempt): conversation.connecting(attempt: attempt)
        case .connected(let server):
            let isFirst = connectedAt == nil
            connectedAt = now
            isConnected = true
            packets = trail.takeOutgoing()
            conversation.connected(sessionPresent: server.sessionPresent, at: now)
            obey()
            packets = []
            if isFirst, settings.version != .v5 {
                tell(.note("\(settings.versionText): a broker that refuses a message cannot say so"))
            }
            if isFirst { releaseHeldLines(at: now) }
        case .waiting(let delay, let error):
            let seconds = Double(delay.components.seconds) + Double(delay.components.attoseconds) / 1e18
            conversation.waiting("\(error)", seconds: seconds)
            suspectTakeover(at: now)
        }
    }

    /// 3.1.1 closes the older of two connections without a word; both would take turns for ever.
    private mutating func suspectTakeover(at now: ContinuousClock.Instant) {
        guard settings.version != .v5, isConnected else { return }
        isConnected = false
        guard let connectedAt, now - connectedAt < Self.takeoverTime else {
            takeovers = 0
            return
        }
        takeovers += 1
        guard takeovers >= Self.takeoversMax else { return }
        failure = "the connection is taken away again and again: is another program logged in as \(settings.name)?"
        client.close()
    }

    private mutating func receive(
        _ answer: Outbox.Answer, at now: ContinuousClock.Instant, _ group: inout TaskGroup<Void>
    ) {
        waiting -= 1
        packets = trail.takeOutgoing()
        switch answer {
        case .subscribed(let listening, let subscription, let failure):
            if let subscription { read(subscription, listening, &group) }
            conversation.subscribed(
                listening, codes: subscription?.result.reasonCodes ?? [], failure: failure, at: now)
        case .unsubscribed(let listening, let failure):
            conversation.unsubscribed(listening, failure: failure, at: now)
        case .published(let ticket, let isHeard, let failure):
            conversation.published(ticket, isHeard: isHeard, failure: failure, at: now)
        case .done: break
        }
        obey()
        // What nothing was told about has passed all the same.
        if settings.explains, !packets.isEmpty { front.follow(packets, of: 0) }
        packets = []
        askForInput()
    }

    /// Hands each message over when the one before has been dealt with: a person who reads slowly slows the broker, not us.
    private mutating func read(
        _ subscription: Subscription, _ listening: Listening, _ group: inout TaskGroup<Void>
    ) {
        let (permits, permit) = AsyncStream.makeStream(of: Void.self)
        readers[listening] = permit
        group.addTask { [continuation] in
            var permits = permits.makeAsyncIterator()
            do throws(ClientError) {
                var messages = subscription.makeAsyncIterator()
                while let message = try await messages.next() {
                    continuation.yield(.message(message, listening))
                    _ = await permits.next()
                }
                continuation.yield(.readerEnded(listening, nil))
            } catch {
                continuation.yield(.readerEnded(listening, error))
            }
        }
    }

    private static func receipt(_ message: Message) -> MessageReceipt {
        let identifier = message.properties.userProperties.first { $0.name == MessageReceipt.property }?.value
        return MessageReceipt(
            isDuplicate: message.receipt?.isDuplicate ?? false,
            packetIdentifier: message.receipt?.packetIdentifier ?? 0,
            identifier: identifier.flatMap { $0.utf8.count <= 64 ? $0 : nil })
    }

    // MARK: The person

    private mutating func receive(_ input: Console.Input, at now: ContinuousClock.Instant) {
        switch input {
        case .signal(SIGWINCH): front.resize()
        case .signal(SIGCONT): front.reopen()
        case .signal: leave(at: now)
        case .end:
            if let line = front.takeRest() { conversation.enter(line, at: now) }
            obey()
            if conversation.phase != .leaving { leave(at: now) }
        case .bytes(let bytes):
            wantsInput = true
            for wish in front.take(bytes, conversation) {
                switch wish {
                case .enter(let line):
                    if connectedAt == nil { front.hold(line) } else { conversation.enter(line, at: now) }
                case .quit: leave(at: now)
                case .look(let place): conversation.enter(Self.command(for: place), at: now)
                }
            }
            askForInput()
        }
    }

    private static func command(for place: Place?) -> String {
        switch place {
        case .person(let name): "/msg \"\(name)\""
        case .group(let name): "/group \"\(name)\""
        case nil: "/all"
        }
    }

    private mutating func releaseHeldLines(at now: ContinuousClock.Instant) {
        for line in front.takeHeld() { conversation.enter(line, at: now) }
    }

    private mutating func leave(at now: ContinuousClock.Instant) {
        if connectedAt == nil, failure == nil { failure = "ended before there was a connection" }
        // Nobody has been told anything yet, so there is nothing to take back; or somebody is in a hurry.
        if connectedAt == nil || conversation.phase == .leaving { return client.close() }
        conversation.leave(at: now)
    }

    private mutating func askForInput() {
        guard wantsInput, waiting < Self.waitingMax else { return }
        wantsInput = false
        console?.ready()
    }

    // MARK: What is to be done

    private mutating func obey() {
        for action in conversation.takeActions() {
            switch action {
            case .tell(let event): tell(event)
            case .subscribe, .unsubscribe, .abandon, .publish, .finish:
                waiting += 1
                outbox.yield(action)
            case .remember(let groups):
                if settings.memory?.write(groups) == false {
                    tell(.note("the groups could not be written to \(settings.memory?.path ?? "")"))
                }
            case .wake(let due):
                timer?.cancel()
                timer = Task { [continuation] in
                    do {
                        try await Task.sleep(until: due, clock: .continuous)
                        continuation.yield(.timer)
                    } catch {}  // Another time has been set.
                }
            case .close(let withWill): client.close(withWill ? .disconnectWithWill : .normalDisconnection)
            }
        }
    }

    private mutating func tell(_ event: ChatEvent) {
        lastNumber += 1
        let told = ToldEvent(
            number: lastNumber, event: event, time: time(nil), packets: settings.explains ? packets : [])
        packets = []
        front.tell(told)
        guard case .people = event, !hasListed else { return }
        hasListed = true
        // Scripts are heard when the list is there: who writes to somebody knows whether they are here.
        if !front.isScreen { console?.ready() }
    }

    private static func words(_ error: ClientError, _ settings: ChatSettings) -> String {
        switch error {
        case .disconnectedByServer(.sessionTakenOver, _, _):
            "another program has logged in as \(settings.name), and this one has to go"
        case .connectFailed(let failure) where failure.certificateProblem != nil:
            "the verification of the server failed, and nothing was sent: \(failure)"  // [CH-15]
        case .connectionRefused(.unsupportedProtocolVersion, _, _):
            "\(error); try --mqtt-version \(settings.version == .v5 ? "311" : "5")"
        default: "\(error)"
        }
    }
}
