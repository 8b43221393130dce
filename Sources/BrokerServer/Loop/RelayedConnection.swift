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

    /// Bytes on their way between the two loops, in either direction, at most; a turn's worth may go over it. Whoever
    /// sends more waits until some have been taken, so that a mailbox does not grow when one loop is slower.
    static let wayBytesMax = 262_144
    /// What has been taken is said in portions of this many bytes.
    static let portionBytes = 65_536

    private let key: Key
    private let socket: Mailbox
    private let address: SocketAddress?
    /// Input taken here that the socket's loop has not been told of.
    private var heard = 0
    /// Output that the socket's loop has not taken, as far as we know.
    private var unwritten = 0
    private var isSocketWritable = true

    init(
        key: Key, socket: Mailbox, address: SocketAddress?, loop: ShardLoop, listener: Listener, newcomer: Newcomer?
    ) {
        self.key = key
        self.socket = socket
        self.address = address
        super.init(loop: loop, listener: listener, newcomer: newcomer)
    }

    override var remoteAddress: SocketAddress? { address }

    // MARK: Input

    func hear(_ bytes: ByteBuffer) {
        heard += bytes.readableBytes
        receive(bytes)
        guard heard >= RelayedConnection.portionBytes else { return }
        socket.post(.heard(key, heard))
        heard = 0
    }

    // MARK: Output

    override func write(_ bytes: ByteBuffer, isLast: Bool) {
        guard !isGone else { return }
        socket.post(.output(key, bytes, isLast: isLast))
        unwritten += bytes.readableBytes
        updateWritability()
    }

    override func writeMore(_ bytes: ByteBuffer) { write(bytes, isLast: false) }

    func written(_ count: Int) {
        unwritten -= count
        updateWritability()
    }

    func socketWritabilityChanged(to isWritable: Bool) {
        isSocketWritable = isWritable
        updateWritability()
    }

    private func updateWritability() {
        let now = isSocketWritable && unwritten < RelayedConnection.wayBytesMax
        guard now != isWritable else { return }
        isWritable = now
        loop.writabilityChanged(self)
    }

    // MARK: The socket

    override func setReading(_ isOn: Bool) { socket.post(.reading(key, isOn)) }
    override func endWithinGrace() { socket.post(.end(key)) }
    override func becameKnown() { socket.post(.known(key)) }
}
