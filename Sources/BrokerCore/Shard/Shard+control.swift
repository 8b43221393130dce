import MQTTProtocol

/// Requests to the broker itself, by PUBLISH, §7.4 of MOSQUITTO_COMPAT: whoever may publish to the topic may ask, and everybody
/// who may read the answers' topic hears them. Nothing below `$CONTROL/` is passed on, so no client can forge an answer.
extension Shard {
    private static var requests: StaticString { "$CONTROL/broker/v1" }
    private static var answers: StaticString { "$CONTROL/broker/v1/response" }
    private static var control: StaticString { "$CONTROL/" }

    /// Nothing that a client publishes there goes to subscribers.
    func isReserved(_ topic: UnsafeRawBufferPointer) -> Bool {
        if AccessRules.isReserved(topic) { return true }
        return settings.control != nil && topic.starts(with: Shard.control.bytes)
    }

    /// A client may publish there, to ask.
    func isControl(_ topic: UnsafeRawBufferPointer) -> Bool {
        settings.control != nil && topic.elementsEqual(Shard.requests.bytes)
    }

    /// The broker has received its message; who listens to the answers has one, at QoS 0 as in mosquitto.
    mutating func answerControl(_ dispatch: inout Dispatch) {
        dispatch.receivers = 1
        guard let answer = settings.control?.answer(dispatch.parts.payload) else { return }
        publish(topic: [UInt8](Shard.answers.bytes), payload: answer, qos: .atMostOnce, retain: false)
    }
}

extension StaticString {
    fileprivate var bytes: UnsafeBufferPointer<UInt8> {
        UnsafeBufferPointer(start: utf8Start, count: utf8CodeUnitCount)
    }
}
