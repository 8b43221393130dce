import BrokerConfiguration
import Testing

/// The configuration of `text`, which must be valid.
func parsed(_ text: String, sourceLocation: SourceLocation = #_sourceLocation) throws -> BrokerConfiguration {
    do {
        return try BrokerConfiguration.parse(text: text.utf8, file: "test.conf").configuration
    } catch {
        Issue.record("\(error)", sourceLocation: sourceLocation)
        throw error
    }
}

/// What is remarked about `text`, which must be valid.
func remarks(_ text: String) throws -> [Diagnostic] {
    try BrokerConfiguration.parse(text: text.utf8, file: "test.conf").warnings
}

/// The mistakes found in `bytes`; empty if there is none.
func problems(_ bytes: some Collection<UInt8>) -> [Diagnostic] {
    do {
        _ = try BrokerConfiguration.parse(text: bytes, file: "test.conf")
        return []
    } catch {
        return error.problems
    }
}

func problems(_ text: String) -> [Diagnostic] { problems(text.utf8) }
