import Dispatch
import Foundation
import Synchronization
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

/// A fixed set of threads that takes tasks in order. The threads live as long as the process.
final class BlockingThreads: TaskExecutor {
    static let shared = BlockingThreads(threadCount: 24)

    private let waiting = Mutex<[UnownedJob]>([])
    private let signal = DispatchSemaphore(value: 0)

    private init(threadCount: Int) {
        for _ in 0..<threadCount { Thread.detachNewThread { self.work() } }
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        waiting.withLock { $0.append(job) }
        signal.signal()
    }

    private func work() {
        while true {
            signal.wait()
            let job = waiting.withLock { $0.isEmpty ? nil : $0.removeFirst() }
            job?.runSynchronously(on: asUnownedTaskExecutor())
        }
    }
}
