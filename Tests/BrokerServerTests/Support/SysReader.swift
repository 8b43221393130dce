import MQTTTestKit
import Testing

/// A client that listens to `$SYS` and remembers what it was told last.
final class SysReader {
    private let client: RawClient
    private(set) var values: [String: String] = [:]
    /// Everything that came, in order.
    private(set) var said: [(topic: String, payload: String, isRetained: Bool)] = []

    init(_ broker: BrokerProcess) throws {
        client = try .patient(broker)
        try client.subscribe("$SYS/#", 0)
    }

    subscript(_ topic: String) -> Int? { values["$SYS/broker/" + topic].flatMap { Int($0) } }

    /// Waits until what `$SYS` says fulfils a condition; false where it never does.
    func wait(
        withinMilliseconds limit: Int = patienceMilliseconds, until condition: (SysReader) throws -> Bool
    ) throws -> Bool {
        let deadline = Deadline(milliseconds: limit)
        while true {
            if try condition(self) { return true }
            guard deadline.millisecondsLeft > 0, try readOne(withinMilliseconds: deadline.millisecondsLeft) else {
                return false
            }
        }
    }

    /// Takes what comes in this time.
    func listen(forMilliseconds limit: Int) throws {
        let deadline = Deadline(milliseconds: limit)
        while deadline.millisecondsLeft > 0, try readOne(withinMilliseconds: deadline.millisecondsLeft) {}
    }

    private func readOne(withinMilliseconds limit: Int) throws -> Bool {
        guard let packet = try client.next(withinMilliseconds: limit) else { return false }
        guard packet.kind == .publish else { return true }
        values[packet.topicText] = packet.payloadText
        said.append((packet.topicText, packet.payloadText, packet.retain))
        return true
    }
}
