import BrokerCore
import MQTTProtocol
import NIOCore

/// A connection as its shard's loop sees it: something that brings bytes and takes bytes. Its socket is on the same loop
/// (`ConnectionHandler`) or on another (`RelayedConnection`).
class ConnectionEnd {
    /// How long output may still be written after the end was decided.
    static let closeGrace = TimeAmount.seconds(2)
    /// A fixed header is no longer than this: §2.1.
    static let headerBytesMax = 5

    /// The loop of its shard.
    let loop: ShardLoop
    let listener: Listener
    /// What was found out before MQTT began; `nil` on plain TCP.
    let newcomer: Newcomer?
    /// The shard's name for it.
    var id = ConnectionID(slot: .max, generation: 0)
    /// The start of a packet that has not come whole, or everything since reading was paused.
    private var rest: ByteBuffer?
    var isWritable = true
    private var isPaused = false
    private(set) var isClosing = false
    /// Its socket has gone; what had come before that is still being taken.
    private(set) var isGone = false
    private var isStranger = true

    init(loop: ShardLoop, listener: Listener, newcomer: Newcomer?) {
        self.loop = loop
        self.listener = listener
        self.newcomer = newcomer
    }

    /// What TLS or PSK says who it is, where that is to be its user name.
    final var identity: MQTTString? { newcomer?.identity.flatMap { MQTTString(Array($0.utf8)) } }

    // MARK: Bytes in

    /// Feeds the shard what came, behind what was kept.
    final func receive(_ bytes: ByteBuffer) {
        if isClosing { return }
        guard var kept = rest else { return take(bytes) }
        rest = nil
        var bytes = bytes
        if isPaused {
            kept.writeBuffer(&bytes)
            rest = kept
            return
        }
        let hadHeader = kept.readableBytes >= ConnectionEnd.headerBytesMax
        // Only the packet that was cut is put together; the rest is parsed where it lies.
        while bytes.readableBytes > 0 {
            let missing = kept.withUnsafeReadableBytes { Shard.missingBytes(of: $0) }
            guard missing > 0, var piece = bytes.readSlice(length: min(missing, bytes.readableBytes)) else { break }
            kept.writeBuffer(&piece)
        }
        // Its header has been looked at, and it is still not whole: it grows where it lies.
        if hadHeader, bytes.readableBytes == 0, kept.withUnsafeReadableBytes({ Shard.missingBytes(of: $0) }) > 0 {
            rest = kept
            return
        }
        take(kept)
        guard bytes.readableBytes > 0, !isClosing else { return }
        if var left = rest {
            left.writeBuffer(&bytes)
            rest = left
            if !isPaused { resumeTaking() }
        } else {
            take(bytes)
        }
    }

    /// Feeds what is kept once more.
    private func resumeTaking() {
        guard let kept = rest else { return }
        rest = nil
        take(kept)
    }

    /// Feeds the shard; keeps what it did not take.
    private func take(_ bytes: ByteBuffer) {
        let consumed = bytes.withUnsafeReadableBytes { loop.receive($0, on: self) }
        if isStranger, !isClosing, loop.hasKnocked(id) {
            isStranger = false
            becameKnown()
        }
        let left = bytes.readableBytes - consumed
        guard left > 0, !isClosing else { return }
        // Copied, exact: the receive buffer is everybody's.
        var kept = loop.allocator.buffer(capacity: max(left, 64))
        kept.writeBytes(bytes.readableBytesView.suffix(left))
        rest = kept
    }

    // MARK: What the shard wants

    final func pauseReading() {
        guard !isPaused, !isClosing else { return }
        isPaused = true
        setReading(false)
    }

    /// Goes on with what was kept, then with the socket.
    final func resumeReading() {
        guard isPaused else { return }
        isPaused = false
        resumeTaking()
        guard !isPaused, !isClosing else { return }
        if isGone { end() } else { setReading(true) }
    }

    /// Closes when its output has been written, or cannot be.
    final func closeSoon() {
        guard !isClosing else { return }
        isClosing = true
        rest = nil
        if isGone {
            // Not from inside another connection's packet: at the next turn.
            loop.eventLoop.assumeIsolatedUnsafeUnchecked().execute { self.end() }
        } else {
            setReading(false)
            endWithinGrace()
        }
    }

    /// The socket has gone. Who was made to wait had sent what came until then, and perhaps DISCONNECT: it is taken when
    /// its turn comes, at the latest after `slow_reader_wait`, before the shard hears of the end.
    final func gone() {
        guard isPaused, !isClosing, rest != nil else { return end() }
        isGone = true
        // Its output goes nowhere now, and holds nobody up.
        isWritable = true
        loop.writabilityChanged(self)
    }

    private func end() {
        isClosing = true
        rest = nil
        loop.closed(self)
    }

    // MARK: What the two kinds do differently

    var remoteAddress: SocketAddress? { nil }
    /// Hands bytes to the socket; the last of them end the connection.
    func write(_ bytes: ByteBuffer, isLast: Bool) {}
    /// Hands bytes to the socket; more follow in this tick.
    func writeMore(_ bytes: ByteBuffer) {}
    func setReading(_ isOn: Bool) {}
    /// Closes after `closeGrace`, whatever has been written by then.
    func endWithinGrace() {}
    /// CONNECT was accepted: it counts no longer against the limit for strangers.
    func becameKnown() {}
}
