import MQTTTestKit
import Testing

/// Gives each test of a suite a thread that may block. Swift's own pool has as many threads as the machine has cores,
/// and a test that waits for a keep-alive to pass would hold one of them.
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
