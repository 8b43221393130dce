import MQTTProtocol

/// Slow readers. A reader whose output is full pauses the publishers that fill it, for at most `slowReaderWait`; then it
/// counts as stalled: QoS 0 to it is dropped and counted, QoS 1 and 2 wait in its queue, and it pauses nobody until its
/// output has drained.
extension Shard {
    /// The socket takes bytes again, or no more.
    package mutating func writabilityChanged(_ id: ConnectionID, to isWritable: Bool, at now: Int64) {
        self.now = now
        guard exists(id) else { return }
        let connection = connections.pointer(id.slot)
        connection.pointee.isWritable = isWritable
        if isWritable { outbox.touch(connection, id.slot) }
    }

    /// The connection's output has been handed to its socket, which may or may not take more.
    package mutating func outputTaken(_ slot: UInt32, at now: Int64) {
        self.now = now
        let connection = connections.pointer(slot)
        connection.pointee.isDirty = false
        counters.bytesSent &+= UInt64(connection.pointee.outputCount &+ connection.pointee.outputShared)
        outbox.clear(connection)
        if let extras = connection.pointee.extras, !extras.shared.isEmpty {
            for shared in extras.shared { handedOver.append(shared.message) }
            extras.shared.removeAll()
        }
        guard connection.pointee.phase != .closing else { return }
        if connection.pointee.flow != .flowing || connection.pointee.holdsOwnReading { drained(slot, connection) }
        let session = connection.pointee.session
        if session != SlotTable<Session>.none, hasMoreToSend(session) { pump(session) }
    }

    /// The socket takes nothing now: the output stays until `writabilityChanged`.
    package mutating func outputHeld(_ slot: UInt32) {
        connections.pointer(slot).pointee.isDirty = false
    }

    private func hasMoreToSend(_ slot: UInt32) -> Bool {
        let session = sessions.pointer(slot)
        return !session.pointee.queue.isEmpty || session.pointee.details?.hasMore == true
    }

    /// The output is over its limit. While the socket takes bytes, the next flush will see to it.
    @inline(never)
    mutating func fill(_ connection: UnsafeMutablePointer<Connection>, _ slot: UInt32, from publisher: Origin?) {
        guard !connection.pointee.isWritable, connection.pointee.flow != .stalled else { return }
        if connection.pointee.flow == .flowing {
            connection.pointee.flow = .blocked
            connection.pointee.blockings &+= 1
            schedule(
                .stall(blocking: connection.pointee.blockings), slot, connection.pointee.generation,
                at: now + settings.slowReaderWait)
        }
        hold(publisher, for: connection)
    }

    /// What neighbours may add to a reader's output beyond what its own shard's publishers may: a way's worth each.
    private var neighboursBytesMax: Int { (neighbours.count - 1) * settings.neighbourBytesMax }

    /// Whether a reader that is not flowing gets one more QoS 0 message; if not, it is counted.
    @inline(never)
    mutating func admits(
        _ connection: UnsafeMutablePointer<Connection>, _ slot: UInt32, _ dispatch: inout Dispatch
    ) -> Bool {
        if connection.pointee.flow == .blocked {
            hold(origin(of: &dispatch), for: connection)
            // Each publisher may add what it was sending when it was paused: together they may not double the limit. A
            // neighbour's publishers fill the way here, perhaps one after another, before each has heard.
            let bytes = connection.pointee.outputCount + connection.pointee.outputShared
            if bytes < 2 * settings.outputBytesMax + neighboursBytesMax { return true }
        }
        counters.publishesDropped &+= 1
        extras(of: connection).droppedSinceStall &+= 1
        return false
    }

    /// A peer that asks and never reads the answers: its own reading is paused until its output drains.
    @inline(__always)
    mutating func holdIfFull(_ connection: UnsafeMutablePointer<Connection>, _ slot: UInt32) {
        if connection.pointee.outputCount >= settings.outputBytesMax, !connection.pointee.isWritable,
            !connection.pointee.holdsOwnReading
        {
            connection.pointee.holdsOwnReading = true
            pause(slot)
        }
    }

    private mutating func drained(_ slot: UInt32, _ connection: UnsafeMutablePointer<Connection>) {
        if connection.pointee.flow == .stalled {
            let dropped = connection.pointee.extras?.droppedSinceStall ?? 0
            connection.pointee.extras?.droppedSinceStall = 0
            if connection.pointee.session != SlotTable<Session>.none {
                let client = sessions.pointer(connection.pointee.session).pointee.clientIdentifier
                log(.notice, .readerRecovered(client: client, dropped: dropped))
            }
        }
        connection.pointee.flow = .flowing
        releaseWaiters(of: connection)
        if connection.pointee.holdsOwnReading {
            connection.pointee.holdsOwnReading = false
            resume(slot)
        }
    }

    /// The reader did not drain in time.
    mutating func stall(_ slot: UInt32, blocking: UInt32) {
        let connection = connections.pointer(slot)
        guard connection.pointee.flow == .blocked, connection.pointee.blockings == blocking else { return }
        connection.pointee.flow = .stalled
        releaseWaiters(of: connection)
        guard connection.pointee.session != SlotTable<Session>.none else { return }
        let client = sessions.pointer(connection.pointee.session).pointee.clientIdentifier
        log(.notice, .readerStalled(client: client, milliseconds: settings.slowReaderWait))
    }

    mutating func pause(_ slot: UInt32) {
        let connection = connections.pointer(slot)
        connection.pointee.pauses += 1
        if connection.pointee.pauses == 1 { effects.append(.pauseReading(id(of: slot))) }
    }

    mutating func resume(_ slot: UInt32) {
        let connection = connections.pointer(slot)
        connection.pointee.pauses -= 1
        assert(connection.pointee.pauses >= 0, "resumed more often than paused")
        if connection.pointee.pauses == 0 { effects.append(.resumeReading(id(of: slot))) }
    }

    // MARK: The server's view of the output

    /// A connection's bytes in pieces, in order; nil where it has gone.
    package func withOutput(
        of slot: UInt32, _ run: (UnsafeRawBufferPointer) -> Void, shared: (UnsafeRawBufferPointer, UInt) -> Void
    ) {
        let connection = connections.pointer(slot)
        let bytes = UnsafeRawBufferPointer(
            start: connection.pointee.outputBase, count: connection.pointee.outputCount)
        var from = 0
        if let extras = connection.pointee.extras {
            for piece in extras.shared {
                if piece.offset > from { run(UnsafeRawBufferPointer(rebasing: bytes[from..<piece.offset])) }
                shared(piece.message.payload, piece.message.word)
                from = piece.offset
            }
        }
        if bytes.count > from { run(UnsafeRawBufferPointer(rebasing: bytes[from...])) }
    }

    /// The names that `withOutput` gave shared payloads may be forgotten: until now they stayed good.
    package mutating func releaseShared() {
        for message in handedOver { message.release() }
        handedOver.removeAll(keepingCapacity: true)
    }

    /// Bytes waiting for the connection's socket, shared payloads included.
    package func outputBytes(of slot: UInt32) -> Int {
        connections.pointer(slot).pointee.outputCount &+ connections.pointer(slot).pointee.outputShared
    }

    /// Somebody has something to write.
    package var hasOutput: Bool { !outbox.dirty.isEmpty }
    /// What has come for writing since the last flush, and how many connections it is for. What that flush left, because
    /// sockets take nothing, waits for those.
    package var waitingBytes: Int { outbox.waitingBytes }
    package var waitingConnections: Int { outbox.dirty.count }
    /// Somebody has so much to write that it should not wait for the tick's end.
    package var hasFull: Bool { !outbox.full.isEmpty }

    /// Whether CONNECT has come: it is accepted, or being checked.
    package func hasKnocked(_ id: ConnectionID) -> Bool {
        guard exists(id) else { return false }
        let phase = connections.pointer(id.slot).pointee.phase
        return phase == .open || phase == .awaitingVerdict
    }

    /// Whether the connection's reading is to stay paused.
    package func isPaused(_ id: ConnectionID) -> Bool {
        exists(id) && connections.pointer(id.slot).pointee.pauses > 0
    }

    /// Connections with something to write since the last call.
    package mutating func takeDirty() -> [UInt32] { outbox.takeDirty() }
    /// Those among them that should not wait for the tick's end.
    package mutating func takeFull() -> [UInt32] { outbox.takeFull() }
    package mutating func recycle(_ list: consuming [UInt32]) { outbox.recycle(list) }

    /// The name of the connection in `slot`, or nil where there is none.
    package func connection(in slot: UInt32) -> ConnectionID? {
        connections.isTaken(slot) ? id(of: slot) : nil
    }
}
