/// Questions and answers, §4.10: the question carries a Response Topic of its own and Correlation Data.
extension MQTTClient {
    /// Asks and waits for the answer: subscribes to a topic made for this question, publishes, takes the first message that
    /// carries our Correlation Data, and gives the subscription up. 5.0 only.
    /// - Parameters:
    ///   - topic: where the service listens.
    ///   - qos: of question and answer.
    ///   - properties: sent along; Response Topic and Correlation Data are set here.
    ///   - timeout: for all of it.
    /// - Returns: the answer.
    /// - Throws: `timedOut`; `refused` where question or subscription were; `notInVersion` in 3.1.1; what `publish` and
    ///   `subscribe` throw.
    public func request(
        _ topic: Topic, _ payload: [UInt8], qos: QoS = .atLeastOnce, properties: Message.Properties = .init(),
        timeout: Duration
    ) async throws(ClientError) -> Message {
        guard configuration.version == .v5 else { throw .notInVersion("request and response") }
        var generator = SystemRandomNumberGenerator()
        let number: UInt64 = generator.next()
        let correlation = (0..<8).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }
        var question = Message(topic, payload, qos: qos, properties: properties)
        question.properties.correlationData = correlation
        let result = await withTaskGroup(of: Result<Message, ClientError>.self) { [question] group in
            group.addTask {
                do throws(ClientError) {
                    return .success(try await self.ask(question, correlation, String(number, radix: 36)))
                } catch {
                    return .failure(error)
                }
            }
            group.addTask {
                do {
                    try await Task.sleep(for: timeout)
                    return .failure(.timedOut)
                } catch {
                    return .failure(.cancelled)
                }
            }
            let first = await group.next() ?? .failure(.cancelled)
            group.cancelAll()
            return first
        }
        return try result.get()
    }

    private func ask(
        _ question: Message, _ correlation: [UInt8], _ unique: String
    ) async throws(ClientError) -> Message {
        try await connected()
        var prefix = "responses"
        // What the server wants response topics to begin with, §3.2.2.3.15.
        if case .connected(let server) = state, let information = server.responseInformation { prefix = information }
        var question = question
        let answerTopic = try Topic("\(prefix)/\(unique)" as String)
        question.properties.responseTopic = answerTopic
        let answers = try await subscribe(to: TopicFilter(answerTopic), qos: question.qos)
        try await publish(question)
        for try await answer in answers where answer.properties.correlationData == correlation { return answer }
        throw Task.isCancelled ? .cancelled : .closed
    }
}
