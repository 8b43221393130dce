import MQTTTestKit
import Testing

/// Gives each test of a suite a thread that may block: most of these tests wait for a process, and would hold one of
/// the few threads of Swift's own pool meanwhile.
struct BlockingTests: SuiteTrait, TestTrait, TestScoping {
    var isRecursive: Bool { true }

    func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @concurrent @Sendable () async throws -> Void
    ) async throws {
        try await withTaskExecutorPreference(BlockingThreads.shared) { try await function() }
    }
}

extension Trait where Self == BlockingTests {
    static var blocking: Self { BlockingTests() }
}
