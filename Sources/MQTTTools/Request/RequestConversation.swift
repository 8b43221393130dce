import MQTTClient
import MQTTProtocol
import NIOCore

/// `rr`: subscribes to the response topic, sends the request, shows the first answer.
final class RequestConversation: EndingConversation {
    private let arguments: ToolArguments
    private let topic: Topic
    private let responseTopic: Topic
    private let payload: [UInt8]
    private let printer: MessagePrinter
    private var asked: ContinuousClock.Instant?
    private var isDone = false
    private(set) var status = ExitStatus.success.rawValue

    init(_ arguments: ToolArguments, topic: Topic, responseTopic: Topic, payload: [UInt8]) {
        self.arguments = arguments
        self.topic = topic
        self.responseTopic = responseTopic
        self.payload = payload
        printer = MessagePrinter(arguments)
    }

    var reconnects: Bool { false }

    func connected(_ connection: ToolConnection) {
        let bound = NIOLoopBound(connection, eventLoop: connection.loop)
        let conversation = NIOLoopBound(self, eventLoop: connection.loop)
        ToolSignals.listen(on: connection.loop) { conversation.value.leave(bound.value, timedOut: false) }
        if let seconds = arguments.timeoutSeconds {
            connection.loop.scheduleTask(in: .seconds(Int64(seconds))) {
                conversation.value.leave(bound.value, timedOut: true)
            }
        }
    }

    func began(_ connection: ToolConnection, sessionPresent: Bool) {
        let filter = SubscriptionFilter(
            TopicFilter(responseTopic), qos: arguments.qos,
            retainHandling: arguments.protocolVersion == .v5 ? arguments.retainHandling : .sendAlways)
        attempt(connection) { () throws(ClientError) in
            try connection.session.subscribe(
                to: [filter], userProperties: arguments.properties.users(.subscribe), as: RequestIdentifier(1),
                at: .now)
        }
    }

    func answered(_ suback: Suback, _ connection: ToolConnection) {
        if let code = suback.reasonCodes.first(where: \.isError) {
            say("\(code)", connection)
            return connection.sayGoodbye()
        }
        var message = Message(topic, payload, qos: arguments.qos)
        if arguments.protocolVersion == .v5 {
            message.properties = arguments.properties.message(.publish)
            message.properties.responseTopic = responseTopic
        }
        asked = .now
        attempt(connection) { () throws(ClientError) in
            try connection.session.publish(message, as: RequestIdentifier(2), at: .now)
        }
    }

    func completed(_ request: RequestIdentifier, _ result: RequestResult, _ connection: ToolConnection) {
        if case .failed(let error) = result, !isDone {
            say("Error: \(error)", connection)
            status = ExitStatus.failure.rawValue
            connection.sayGoodbye()
        }
    }

    func received(_ message: Message, _ connection: ToolConnection) {
        guard !isDone, let asked, !(message.retain && arguments.ignoresRetained) else { return }
        isDone = true
        printer.show(message, to: connection.standardOutput)
        if arguments.showsLatency {
            let latency = asked.duration(to: .now).components
            let seconds = Double(latency.seconds) + Double(latency.attoseconds) / 1e18
            connection.standardOutput.write(line: "Latency: \(Decimal.text(seconds * 1_000, places: 3)) ms")
        }
        // mosquitto_rr just ends here; a DISCONNECT keeps the server from publishing our will.
        connection.sayGoodbye(quietly: true)
    }

    private func leave(_ connection: ToolConnection, timedOut: Bool) {
        guard !isDone else { return }
        isDone = true
        status = timedOut ? ExitStatus.timedOut.rawValue : status
        if timedOut { say(ExitStatus.timedOut.text, connection) }
        guard connection.session.state == .connected else {
            connection.standardOutput.flush()
            ToolProgram.exitNow(timedOut ? status : ExitStatus.failure.rawValue)
        }
        connection.sayGoodbye(withWill: true)
        connection.endTick()
    }

    private func attempt(_ connection: ToolConnection, _ body: () throws(ClientError) -> Void) {
        do throws(ClientError) {
            try body()
        } catch {
            say("Error: \(error)", connection)
            status = ExitStatus.failure.rawValue
            connection.sayGoodbye()
        }
    }

    private func say(_ text: String, _ connection: ToolConnection) {
        connection.standardOutput.flush()
        if !arguments.isQuiet { StandardError.say(text) }
    }
}
