import MQTTClient
import MQTTProtocol
import NIOCore

/// `pub`: one message, several times if asked, or one a line of standard input. A message of QoS 1 or 2 is done when its handshake is.
final class PublishConversation: EndingConversation {
    private let arguments: ToolArguments
    private let topic: Topic
    private let properties: Message.Properties
    /// Nil = lines of standard input.
    private let payload: [UInt8]?
    private let lines: InputLines?
    private var pace: Pace?
    private var retain: Bool
    private var sent: UInt64 = 0
    private var unfinished = 0
    private var repeats = 0
    private var isWaiting = false
    private(set) var status = ExitStatus.success.rawValue

    /// - Parameter payload: nil = one message a line of standard input.
    init(_ arguments: ToolArguments, topic: Topic, payload: [UInt8]?, loop: any EventLoop) {
        self.arguments = arguments
        self.topic = topic
        self.payload = payload
        retain = arguments.retain
        properties = arguments.protocolVersion == .v5 ? arguments.properties.message(.publish) : Message.Properties()
        lines = payload == nil ? InputLines(StandardInput(loop: loop)) : nil
        pace = arguments.rate.map { Pace(perSecond: $0) }
    }

    /// Lines go on after a lost connection, one message does not.
    var reconnects: Bool { lines != nil }

    func connected(_ connection: ToolConnection) {
        guard let lines else { return }
        lines.input.wake = { [weak connection] in
            guard let connection, connection.session.state == .connected else { return }
            connection.endTick()
        }
        lines.input.readAhead()
    }

    func began(_ connection: ToolConnection, sessionPresent: Bool) {
        if let payload, sent == 0 { publish(payload, connection) }
    }

    // MARK: One message

    func completed(_ request: RequestIdentifier, _ result: RequestResult, _ connection: ToolConnection) {
        unfinished -= 1
        switch result {
        case .failed(.refused(let code, let reason)):
            say("Warning: Publish \(request.value) failed: \(code).")
            if let reason { say(Self.harmless(reason)) }
            report(request, code, connection)
        case .failed(let error): fail(error, connection)
        case .published(let result): report(request, result.reasonCode, connection)
        default: break
        }
        guard let payload else { return }
        repeats += 1
        guard repeats < arguments.repeatCount else { return connection.sayGoodbye() }
        let pause = max(arguments.repeatDelay, pace?.interval ?? .zero)
        // Always by way of the loop: a message at QoS 0 is complete within `publish`.
        connection.loop.scheduleTask(in: TimeAmount(pause)) {
            [
                self = NIOLoopBound(self, eventLoop: connection.loop),
                connection = NIOLoopBound(connection, eventLoop: connection.loop)
            ] in
            guard connection.value.session.state == .connected else { return }
            self.value.publish(payload, connection.value)
            connection.value.endTick()
        }
    }

    /// The server's words for a terminal: what would steer it is shown as a replacement character.
    private static func harmless(_ text: String) -> String {
        String(
            String.UnicodeScalarView(
                text.unicodeScalars.map { $0.properties.generalCategory == .control ? "\u{FFFD}" : $0 }))
    }

    private func report(_ request: RequestIdentifier, _ code: ReasonCode, _ connection: ToolConnection) {
        guard arguments.isJSON else { return }
        connection.standardOutput.append { line in
            var object = JSONObject()
            object.add("message", raw: Array(String(request.value).utf8))
            object.add("topic", text: topic.utf8)
            object.add("qos", raw: Array(String(arguments.qos.rawValue).utf8))
            object.add("reasonCode", raw: Array(String(code.rawValue).utf8))
            object.add("reason", text: Array(code.description.utf8))
            line += object.closed
            line.append(0x0A)
        }
    }

    private func publish(_ payload: [UInt8], _ connection: ToolConnection) {
        sent += 1
        unfinished += 1
        let message = Message(topic, payload, qos: arguments.qos, retain: retain, properties: properties)
        do throws(ClientError) {
            try connection.session.publish(message, as: RequestIdentifier(sent), at: .now)
        } catch .retainNotSupported {
            // mosquitto sends it all the same, without RETAIN.
            retain = false
            sent -= 1
            unfinished -= 1
            publish(payload, connection)
        } catch {
            unfinished -= 1
            fail(error, connection)
        }
    }

    private func fail(_ error: ClientError, _ connection: ToolConnection) {
        switch error {
        case .qosNotSupported:
            say("Error: Message QoS not supported on broker, try a lower QoS.")
            status = ExitStatus.qosNotSupported.rawValue
        case .packetTooLarge:
            say("Error: \(ExitStatus.packetTooLarge.text)")
            status = ExitStatus.packetTooLarge.rawValue
        default:
            say("Error: \(error)")
            status = ExitStatus.failure.rawValue
        }
        connection.sayGoodbye()
    }

    private func say(_ text: String) {
        if !arguments.isQuiet { StandardError.say(text) }
    }

    // MARK: Lines

    /// As many lines as go out now; what does not stays in the pipe.
    func ticked(_ connection: ToolConnection) {
        guard let lines, !isWaiting else { return }
        while connection.session.state == .connected, connection.session.queuedMessages == 0 {
            if let pause = pace?.pause(beforeMessage: sent) { return wait(pause, connection) }
            guard let line = lines.next() else {
                if lines.isAtEnd, unfinished == 0 { connection.sayGoodbye() }
                return
            }
            publish(line, connection)
            connection.obeyAll()
        }
    }

    private func wait(_ pause: Duration, _ connection: ToolConnection) {
        isWaiting = true
        connection.loop.scheduleTask(in: TimeAmount(pause)) {
            [
                self = NIOLoopBound(self, eventLoop: connection.loop),
                connection = NIOLoopBound(connection, eventLoop: connection.loop)
            ] in
            self.value.isWaiting = false
            connection.value.endTick()
        }
    }
}

/// `--rate`: message n is due so long after the first.
struct Pace {
    let interval: Duration
    private let perSecond: Double
    private var begin: ContinuousClock.Instant?

    init(perSecond: Double) {
        self.perSecond = perSecond
        interval = .seconds(1 / perSecond)
    }

    /// Nil = it is due.
    mutating func pause(beforeMessage number: UInt64, now: ContinuousClock.Instant = .now) -> Duration? {
        guard let begin else {
            begin = now
            return nil
        }
        let due = begin + .seconds(Double(number) / perSecond)
        return now < due ? due - now : nil
    }
}
