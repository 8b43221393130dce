import MQTTTestKit
import Testing

/// A packet that breaks a rule, and the nearest one that keeps it. Sending both proves that the broker closes because
/// of the rule, and not because it dislikes everything of the kind.
struct Violation: Sendable, CustomTestStringConvertible {
    let name: String
    let bad: [UInt8]
    /// Sent on a connection of its own; must leave it open.
    let good: [UInt8]?
    /// Why mosquitto keeps the connection open; nil where it closes as well.
    let keptByMosquitto: String?

    init(_ name: String, _ bad: [UInt8], good: [UInt8]? = nil, keptByMosquitto: String? = nil) {
        self.name = name
        self.bad = bad
        self.good = good
        self.keptByMosquitto = keptByMosquitto
    }

    var testDescription: String { name }

    /// Both halves, each after an accepted CONNECT: the good twin leaves the connection open, the bad one closes it
    /// without an answer.
    func closesConnection(version: UInt8 = 4) throws {
        if let good {
            let lawful = try RawClient.connected(to: .shared(), version: version)
            lawful.send(good)
            try lawful.barrier()
        }
        let offender = try RawClient.connected(to: .shared(), version: version)
        offender.send(bad)
        try withKnownDifference(keptByMosquitto) { try offender.expectClosed() }
    }

    /// Both halves as the first packet of a connection: the good twin gets CONNACK 0, the bad one a close without any.
    func closesWithoutConnack() throws {
        if let good {
            let lawful = try RawClient(.shared())
            lawful.send(good)
            try lawful.expect([0x20, 0x02, 0x00, 0x00])
        }
        let offender = try RawClient(.shared())
        offender.send(bad)
        try withKnownDifference(keptByMosquitto) { try offender.expectClosed() }
    }
}
