import MQTTClient
import MQTTProtocol
import NIOCore

/// `sub`: subscribes, and shows what comes until it is enough.
final class SubscribeConversation: EndingConversation {
    private let arguments: ToolArguments
    private let topics: [SubscriptionFilter]
    private let filtersOut: [TopicFilter]
    private let unsubscribes: [TopicFilter]
    private let printer: MessagePrinter
    private let watch: MessageTable?
    private var isListening = true
    private var shown = 0
    private var arrived = 0
    private var requests: UInt64 = 0
    /// Retained messages that are being cleared.
    private var unfinished: Set<RequestIdentifier> = []
    private var unanswered = 0
    private var hasSubscribed = false
    private var random = SystemRandomNumberGenerator()
    private(set) var status = ExitStatus.success.rawValue

    init(_ arguments: ToolArguments) throws(ClientError) {
        self.arguments = arguments
        var topics: [SubscriptionFilter] = []
        for topic in arguments.topics {
            topics.append(
                SubscriptionFilter(
                    try TopicFilter(topic), qos: arguments.qos,
                    retainAsPublished: arguments.protocolVersion == .v5 && arguments.retainAsPublished,
                    retainHandling: arguments.protocolVersion == .v5 ? arguments.retainHandling : .sendAlways))
        }
        self.topics = topics
        filtersOut = try arguments.filtersOut.map { text throws(ClientError) in try TopicFilter(text) }
        unsubscribes = try arguments.unsubscribes.map { text throws(ClientError) in try TopicFilter(text) }
        printer = MessagePrinter(arguments)
        watch = arguments.showsTable ? MessageTable() : nil
    }

    var reconnects: Bool { true }

    /// Time counts from the open transport.
    func connected(_ connection: ToolConnection) {
        let bound = NIOLoopBound(connection, eventLoop: connection.loop)
        let conversation = NIOLoopBound(self, eventLoop: connection.loop)
        ToolSignals.listen(on: connection.loop) { conversation.value.leave(bound.value) }
        if let seconds = arguments.timeoutSeconds {
            connection.loop.scheduleTask(in: .seconds(Int64(seconds))) {
                conversation.value.timeOut(bound.value)
            }
        }
        if arguments.showsRate {
            connection.loop.scheduleRepeatedTask(initialDelay: .seconds(1), delay: .seconds(1)) { _ in
                conversation.value.showRate(bound.value)
            }
        }
    }

    func began(_ connection: ToolConnection, sessionPresent: Bool) {
        guard !hasSubscribed else { return }  // the session asks again by itself
        hasSubscribed = true
        do throws(ClientError) {
            if !topics.isEmpty {
                try connection.session.subscribe(
                    to: topics, userProperties: arguments.properties.users(.subscribe), as: next(), at: .now)
            }
            for filter in unsubscribes {
                unanswered += 1
                try connection.session.unsubscribe(
                    fromFilters: [filter], userProperties: arguments.properties.users(.unsubscribe), as: next(),
                    at: .now)
            }
        } catch {
            say("Error: \(error)", connection)
            status = ExitStatus.failure.rawValue
            connection.sayGoodbye()
        }
    }

    private func next() -> RequestIdentifier {
        requests += 1
        return RequestIdentifier(requests)
    }

    func answered(_ suback: Suback, _ connection: ToolConnection) {
        if arguments.isDebug, !arguments.isQuiet {
            let codes = suback.reasonCodes.map { String($0.rawValue) }.joined(separator: ", ")
            connection.standardOutput.write(line: "Subscribed (mid: \(suback.packetIdentifier)): \(codes)")
        }
        if suback.reasonCodes.allSatisfy(\.isError) {
            connection.sayGoodbye()
            say("All subscription requests were denied.", connection)
        }
        if arguments.exitsWhenSubscribed { connection.sayGoodbye() }
    }

    func completed(_ request: RequestIdentifier, _ result: RequestResult, _ connection: ToolConnection) {
        unfinished.remove(request)
        if case .unsubscribed = result { unanswered -= 1 }
        if topics.isEmpty, unanswered == 0 { connection.sayGoodbye() }
        if !isListening, unfinished.isEmpty { connection.sayGoodbye() }
    }

    // MARK: Messages

    func received(_ message: Message, _ connection: ToolConnection) {
        guard isListening else { return }
        if arguments.onlyRetained, !message.retain { return stopListening(connection) }
        if message.retain, arguments.ignoresRetained { return }
        if !filtersOut.isEmpty, filtersOut.contains(where: { $0.matches(message.topic) }) { return }
        if arguments.removesRetained, message.retain { clear(message.topic, connection) }
        if let share = arguments.shownShare, Double.random(in: 0..<1, using: &random) >= share { return }
        show(message, connection)
        guard let limit = arguments.messageCount else { return }
        shown += 1
        if shown == limit { stopListening(connection) }
    }

    private func show(_ message: Message, _ connection: ToolConnection) {
        if arguments.showsRate {
            arrived += 1
        } else if let watch {
            watch.show(message, to: connection.standardOutput)
        } else {
            printer.show(message, to: connection.standardOutput)
        }
    }

    private func showRate(_ connection: ToolConnection) {
        connection.standardOutput.write(line: String(arrived))
        connection.standardOutput.flush()
        arrived = 0
    }

    /// An empty retained message takes the place of the one that is kept.
    private func clear(_ topic: Topic, _ connection: ToolConnection) {
        let request = next()
        do throws(ClientError) {
            try connection.session.publish(
                Message(topic, [UInt8](), qos: .atLeastOnce, retain: true), as: request, at: .now)
            unfinished.insert(request)
            connection.obeyAll()
        } catch {
            say("Error: \(error)", connection)
        }
    }

    // MARK: Enough

    private func stopListening(_ connection: ToolConnection) {
        isListening = false
        if unfinished.isEmpty { connection.sayGoodbye() }
    }

    private func leave(_ connection: ToolConnection) {
        isListening = false
        guard connection.session.state == .connected else { exitAtOnce(connection, ExitStatus.failure.rawValue) }
        connection.sayGoodbye(withWill: true)
        connection.endTick()
    }

    private func timeOut(_ connection: ToolConnection) {
        guard isListening || !connection.hasSaidGoodbye else { return }
        isListening = false
        status = ExitStatus.timedOut.rawValue
        guard connection.session.state == .connected else {
            say(ExitStatus.timedOut.text, connection)
            exitAtOnce(connection, status)
        }
        connection.sayGoodbye(withWill: true)
        connection.endTick()
        say(ExitStatus.timedOut.text, connection)
    }

    private func exitAtOnce(_ connection: ToolConnection, _ status: Int32) -> Never {
        connection.standardOutput.flush()
        ToolProgram.exitNow(status)
    }

    private func say(_ text: String, _ connection: ToolConnection) {
        connection.standardOutput.flush()
        if !arguments.isQuiet { StandardError.say(text) }
    }
}
