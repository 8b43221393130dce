import Dispatch
import Foundation
import Synchronization

/// A fixed set of threads that takes tasks in order. The threads live as long as the process.
package final class BlockingThreads: TaskExecutor {
    package static let shared = BlockingThreads(threadCount: 24)

    private let waiting = Mutex<[UnownedJob]>([])
    private let signal = DispatchSemaphore(value: 0)

    package init(threadCount: Int) {
        for _ in 0..<threadCount { Thread.detachNewThread { self.work() } }
    }

    package func enqueue(_ job: consuming ExecutorJob) {
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
