import MQTTTestKit

/// A publisher that sends as fast as the broker reads, and knows how far it got. Payloads are running numbers, filled
/// up to a length.
final class Flood {
    private let client: RawClient
    private let topic: String
    private let payloadBytes: Int
    private var pending: ArraySlice<UInt8> = []
    /// Messages begun so far; all of them are whole once `isIdle`.
    private(set) var count = 0

    init(_ broker: BrokerProcess, topic: String, payloadBytes: Int, will: Wire.Will? = nil) throws {
        client = try .patient(broker, will: will)
        self.topic = topic
        self.payloadBytes = payloadBytes
    }

    var isIdle: Bool { pending.isEmpty }

    /// Sends until `total` messages have been sent since the beginning, or the time is over; says whether all are.
    func send(upTo total: Int, withinMilliseconds limit: Int) -> Bool {
        let deadline = Deadline(milliseconds: limit)
        while true {
            if pending.isEmpty {
                if count >= total { return true }
                pending = message(count)[...]
                count += 1
            }
            let sent = client.offer(pending, withinMilliseconds: deadline.millisecondsLeft)
            pending = pending.dropFirst(sent)
            if !pending.isEmpty { return false }
        }
    }

    /// Sends what is left of the message begun, and DISCONNECT, and closes. Where there is no room for all of it, `makeRoom` is
    /// called until there is; false where that takes longer than `limit` milliseconds.
    func leave(withinMilliseconds limit: Int, makeRoom: () throws -> Void) rethrows -> Bool {
        var last = (Array(pending) + Wire.disconnect)[...]
        pending = []
        defer { client.close() }
        let deadline = Deadline(milliseconds: limit)
        while true {
            last = last.dropFirst(client.offer(last, withinMilliseconds: 20))
            if last.isEmpty { return true }
            guard deadline.millisecondsLeft > 0 else { return false }
            try makeRoom()
        }
    }

    private func message(_ number: Int) -> [UInt8] {
        let digits = String(number)
        return Wire.publish(
            topic: topic, payload: digits + String(repeating: ".", count: max(0, payloadBytes - digits.count)))
    }

    /// The number that a payload begins with.
    static func number(_ packet: ReceivedPacket) -> Int {
        Int(String(decoding: packet.payload.prefix { $0 != UInt8(ascii: ".") }, as: UTF8.self)) ?? -1
    }
}
