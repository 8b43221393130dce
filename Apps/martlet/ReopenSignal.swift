import Dispatch
import Glibc

/// SIGRTMIN, as mosquitto 2.1 takes it: the log file is opened anew, and nothing else. UnixSignals has no name for it.
final class ReopenSignal {
    private let source: any DispatchSourceSignal

    /// Until there is somebody to act: a signal that nobody handles would end the process.
    static func ignore() { signal(__libc_current_sigrtmin(), SIG_IGN) }

    /// - Parameter act: what the signal does, on a queue of its own.
    init(_ act: @escaping @Sendable () -> Void) {
        source = DispatchSource.makeSignalSource(
            signal: __libc_current_sigrtmin(), queue: DispatchQueue(label: "martlet.reopen-log"))
        source.setEventHandler(handler: act)
        source.resume()
    }

    func end() { source.cancel() }
}
