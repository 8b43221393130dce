import BrokerCore
import NIOCore

/// A connection whose socket is on another loop: bytes travel through the mailboxes. A client's session stays with one
/// shard for life (`Shard.home`), and its connection may be accepted anywhere.
final class RelayedConnection: ConnectionEnd {
    /// Names a relayed connection: the loop of its socket, and that loop's number for it.
    struct Key: Hashable, Sendable {
        var loop: Int
        var number: UInt64
    }

    private let key: Key
    private let socket: Mailbox
    private let address: SocketAddress?

    init(key: Key, socket: Mailbox, address: SocketAddress?, loop: ShardLoop, listener: Listener) {
        self.key = key
        self.socket = socket
        self.address = address
        super.init(loop: loop, listener: listener)
    }

    override var remoteAddress: SocketAddress? { address }

    override func write(_ bytes: ByteBuffer, isLast: Bool) { socket.post(.output(key, bytes, isLast: isLast)) }
    override func writeMore(_ bytes: ByteBuffer) { socket.post(.output(key, bytes, isLast: false)) }
    override func setReading(_ isOn: Bool) { socket.post(.reading(key, isOn)) }
    override func endWithinGrace() { socket.post(.end(key)) }
    override func becameKnown() { socket.post(.known(key)) }
}
