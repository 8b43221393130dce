import NIOCore
import NIOPosix
import Synchronization

#if canImport(Darwin)
import Darwin
#elseif canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// SIGINT and SIGTERM, for a tool that takes its leave properly: the handler writes a byte into a pipe, and a thread that reads it
/// tells the loop.
enum ToolSignals {
    private static let writeEnd = Atomic<CInt>(-1)

    /// - Parameter act: called on the loop for each signal.
    static func listen(on loop: any EventLoop, _ act: @escaping @Sendable () -> Void) {
        var ends: [CInt] = [0, 0]
        guard pipe(&ends) == 0 else { return }
        let readEnd = ends[0]
        writeEnd.store(ends[1], ordering: .relaxed)
        for number in [SIGINT, SIGTERM] {
            signal(number) { _ in
                var byte: UInt8 = 0
                _ = write(ToolSignals.writeEnd.load(ordering: .relaxed), &byte, 1)
            }
        }
        let pool = NIOThreadPool(numberOfThreads: 1)
        pool.start()
        pool.submit { _ in
            var byte: UInt8 = 0
            while true {
                let count = read(readEnd, &byte, 1)
                guard count == 1 || (count < 0 && errno == EINTR) else { return }
                if count == 1 { loop.execute(act) }
            }
        }
    }
}
