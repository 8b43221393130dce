import MQTTTestKit
import Testing

/// A broker that is known to leave the standard somewhere. Docs/differences-from-mosquitto.md lists every use.
enum OtherBroker { case mosquitto }

/// Runs `body` as an ordinary test, except where the named broker is under test: there its failure is expected, and a
/// success is reported, so that the list stays true.
func withKnownDifference(_ broker: OtherBroker, _ why: Comment, _ body: () throws -> Void) throws {
    guard broker == .mosquitto, BrokerUnderTest.isMosquitto else { return try body() }
    withKnownIssue(why) { try body() }
}
