import Dispatch
import Glibc

/// SIGRTMIN, as mosquitto 2.1 takes it: the log file is opened anew, and nothing else. UnixSignals has no name for it.
final class ReopenSignal {
    private let source: any DispatchSourceSignal

    /// - Parameter act: what the signal does, on a queue of its own. Without a handler it would end the process.
    init(_ act: @escaping @Sendable () -> Void) {
        source = DispatchSource.makeSignalSource(
            signal: __libc_current_sigrtmin(), queue: DispatchQueue(label: "martlet.reopen-log"))
        source.setEventHandler(handler: act)
        source.resume()
    }

    func end() { source.cancel() }
}
