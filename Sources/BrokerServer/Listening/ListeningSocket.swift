import BrokerConfiguration
import Glibc
import NIOConcurrencyHelpers
import NIOCore

/// The sockets of one `listener` line, one an address family. By whose rules they accept may change while they are open: a
/// connection that waits to be accepted meanwhile is not lost.
final class ListeningSocket: Sendable {
    /// What makes it the same one after a reload.
    let identity: ConfigurationChange.Socket
    private let channels = NIOLockedValueBox<[any Channel]>([])
    private let owner: NIOLockedValueBox<Listener>
    /// The file of a Unix socket, which is ours to remove.
    private let file = NIOLockedValueBox<String?>(nil)

    init(for listener: Listener) {
        identity = ConfigurationChange.Socket(listener.configuration)
        owner = NIOLockedValueBox(listener)
    }

    /// Whose rules hold for the next connection.
    var listener: Listener {
        get { owner.withLockedValue { $0 } }
        set { owner.withLockedValue { $0 = newValue } }
    }

    func add(_ channel: any Channel) { channels.withLockedValue { $0.append(channel) } }
    func ownFile(_ path: String) { file.withLockedValue { $0 = path } }

    /// Until then whoever connects waits.
    func startAccepting() {
        for channel in channels.withLockedValue({ $0 }) {
            channel.setOption(.autoRead, value: true).whenFailure { _ in }  // fails only where it has been closed
        }
    }

    /// Nobody comes in any more; when it returns, the address is free. Not on an event loop.
    func close() {
        let open = channels.withLockedValue { channels in
            defer { channels = [] }
            return channels
        }
        for channel in open { try? channel.close().wait() }  // fails only where it is closed already
        removeFile()
    }

    /// Nobody should find a socket where nobody answers.
    func removeFile() {
        let path = file.withLockedValue { file in
            defer { file = nil }
            return file
        }
        if let path { unlink(path) }
    }
}
