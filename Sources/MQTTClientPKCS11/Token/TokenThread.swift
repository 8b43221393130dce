import Dispatch

/// The thread that one token's calls are made on. A token may take a second to sign, or wait for a finger on a button:
/// nobody's event loop waits with it.
final class TokenThread: SerialExecutor {
    private let queue: DispatchQueue

    init(_ name: String) { queue = DispatchQueue(label: name) }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        queue.async { job.runSynchronously(on: self.asUnownedSerialExecutor()) }
    }
}
