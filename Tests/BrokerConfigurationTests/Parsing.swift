import BrokerConfiguration
import Testing

/// The configuration of `text`, which must be valid. Here as below, keys the server does not act on yet are read like the others:
/// their values are in the configuration already.
func parsed(_ text: String, sourceLocation: SourceLocation = #_sourceLocation) throws -> BrokerConfiguration {
    do {
        return try BrokerConfiguration.parse(text: text.utf8, file: "test.conf", unhonoured: .told).configuration
    } catch {
        Issue.record("\(error)", sourceLocation: sourceLocation)
        throw error
    }
}

/// What is remarked about `text`, which must be valid.
func remarks(_ text: String) throws -> [Diagnostic] {
    try BrokerConfiguration.parse(text: text.utf8, file: "test.conf", unhonoured: .told).warnings
}

/// The mistakes found in `bytes`; empty if there is none.
func problems(_ bytes: some Collection<UInt8>) -> [Diagnostic] {
    do {
        _ = try BrokerConfiguration.parse(text: bytes, file: "test.conf", unhonoured: .told)
        return []
    } catch {
        return error.problems
    }
}

func problems(_ text: String) -> [Diagnostic] { problems(text.utf8) }
