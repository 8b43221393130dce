import NIOConcurrencyHelpers
package import NIOCore

#if canImport(Darwin)
import Darwin
#elseif canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// `--tls-keylog F`: the secrets of every TLS connection, for Wireshark. Whoever has the file reads along, so it is made for
/// its owner alone.
package final class KeyLog: Sendable {
    private let descriptor: NIOLockedValueBox<CInt>

    package init(path: String) throws(SettingFault) {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw SettingFault(key: "--tls-keylog", value: path, reason: String(cString: strerror(errno)))
        }
        _ = fchmod(descriptor, 0o600)
        self.descriptor = NIOLockedValueBox(descriptor)
    }

    deinit { _ = descriptor.withLockedValue { close($0) } }

    /// One line of the NSS key log format.
    package func write(_ line: ByteBuffer) {
        var bytes = Array(line.readableBytesView)
        if bytes.last != 0x0A { bytes.append(0x0A) }
        descriptor.withLockedValue { descriptor in
            var at = 0
            while at < bytes.count {
                let count = bytes.withUnsafeBytes { systemWrite(descriptor, $0.baseAddress! + at, bytes.count - at) }
                if count < 0, errno == EINTR { continue }
                guard count > 0 else { return }  // a log that cannot be written must not stop the broker
                at += count
            }
        }
    }
}
