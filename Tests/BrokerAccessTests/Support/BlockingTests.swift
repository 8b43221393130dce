import MQTTTestKit
import Testing

/// Gives each test of a suite a thread that may block: most of these tests wait for a process, and would hold one of
/// the few threads of Swift's own pool meanwhile.
struct BlockingTests: SuiteTrait, TestTrait, TestScoping {
    /// A set of their own, so that other suites' tests do not stand behind these.
    private static let threads = BlockingThreads(threadCount: 12)

    var isRecursive: Bool { true }

    func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @concurrent @Sendable () async throws -> Void
    ) async throws {
        try await withTaskExecutorPreference(Self.threads) { try await function() }
    }
}

extension Trait where Self == BlockingTests {
    static var blocking: Self { BlockingTests() }
}
