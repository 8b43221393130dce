import MQTTTransport

#if canImport(Darwin)
import Darwin
#elseif canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Standard output, written in large pieces: what a tick brings goes out with one `write`. Blocks where the reader is slow, and then
/// nothing more is read from the broker.
final class StandardOutput {
    /// Written when there is so much of it, in bytes.
    private static var flushBytes: Int { 64 * 1024 }

    private let descriptor: CInt
    private var pending: [UInt8] = []
    /// Nobody reads any more.
    private(set) var isBroken = false

    init(descriptor: CInt = STDOUT_FILENO) {
        self.descriptor = descriptor
        pending.reserveCapacity(Self.flushBytes + 4_096)
    }

    /// A line of text.
    func write(line: String) {
        pending += line.utf8
        pending.append(0x0A)
        flushIfLarge()
    }

    func append(_ body: (inout [UInt8]) -> Void) {
        body(&pending)
        flushIfLarge()
    }

    private func flushIfLarge() {
        if pending.count >= Self.flushBytes { flush() }
    }

    func flush() {
        guard !pending.isEmpty else { return }
        defer { pending.removeAll(keepingCapacity: pending.count <= 4 * Self.flushBytes) }
        guard !isBroken else { return }
        pending.withUnsafeBytes { bytes in
            var written = 0
            while written < bytes.count {
                let count = systemWrite(descriptor, bytes.baseAddress.map { $0 + written }, bytes.count - written)
                if count > 0 {
                    written += count
                } else if errno != EINTR {
                    isBroken = true
                    return
                }
            }
        }
    }
}
