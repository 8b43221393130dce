import MQTTTestKit
import Testing

/// A broker that is known to leave the standard somewhere. Docs/differences-from-mosquitto.md lists every use.
enum OtherBroker { case mosquitto }

/// Runs `body` as an ordinary test, except where the named broker is under test: there its failure is expected, and a
/// success is reported, so that the list stays true. `when` narrows this to some arguments of a test.
func withKnownDifference(
    _ broker: OtherBroker, _ why: Comment, when applies: Bool = true, location: SourceLocation = #_sourceLocation,
    _ body: () throws -> Void
) throws {
    guard broker == .mosquitto, BrokerUnderTest.isMosquitto, applies else { return try body() }
    withKnownIssue(why, sourceLocation: location) { try body() }
}

/// The same for a table of cases: `why` is nil where mosquitto does as the standard says.
func withKnownDifference(
    _ why: String?, location: SourceLocation = #_sourceLocation, _ body: () throws -> Void
) throws {
    guard let why else { return try body() }
    try withKnownDifference(.mosquitto, Comment(rawValue: why), location: location, body)
}
