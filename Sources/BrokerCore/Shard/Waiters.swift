/// Publishers that wait: for a reader that does not keep up, or for the way to a neighbour to be free. Each stands here
/// once, whatever it sends before it hears that it is to wait.
struct Waiters {
    private var list: [Origin] = []
    private var known: Set<Origin> = []

    var isEmpty: Bool { list.isEmpty }

    /// Adds one; false where it waits already.
    mutating func insert(_ publisher: Origin) -> Bool {
        guard known.insert(publisher).inserted else { return false }
        list.append(publisher)
        return true
    }

    /// All of them, in the order they came.
    mutating func takeAll() -> [Origin] {
        defer { self = Waiters() }
        return list
    }
}

/// How publishers are paused, wherever their connections are. Every `hold` is followed by one `letGo`: after
/// `slowReaderWait` at the latest where a reader is the cause, and where a way is, as soon as the neighbour has taken
/// what lies on it, which waits for nobody. So no circle of waiting can close.
extension Shard {
    /// Who published: a connection here, one of another shard, or nobody who could wait.
    @inline(never)
    func origin(of dispatch: inout Dispatch) -> Origin? {
        guard dispatch.connection != SlotTable<Connection>.none else { return dispatch.remote }
        return Origin(shard: index, connection: id(of: dispatch.connection))
    }

    /// Pauses a publisher until the reader flows, or stalls.
    mutating func hold(_ publisher: Origin?, for reader: UnsafeMutablePointer<Connection>) {
        guard let publisher, reader.pointee.flow == .blocked else { return }
        if extras(of: reader).waiters.insert(publisher) { hold(publisher) }
    }

    private mutating func hold(_ publisher: Origin) {
        guard publisher.shard == index else {
            return neighbours.say(.hold(publisher.connection), to: publisher.shard)
        }
        if exists(publisher.connection) { pause(publisher.connection.slot) }
    }

    private mutating func letGo(_ publishers: [Origin]) {
        for publisher in publishers {
            if publisher.shard != index {
                neighbours.say(.letGo(publisher.connection), to: publisher.shard)
            } else if exists(publisher.connection) {
                resume(publisher.connection.slot)
            }
        }
    }

    /// Lets the publishers go on that waited for this reader.
    mutating func releaseWaiters(of connection: UnsafeMutablePointer<Connection>) {
        guard let extras = connection.pointee.extras, !extras.waiters.isEmpty else { return }
        letGo(extras.waiters.takeAll())
    }

    // MARK: The ways to the neighbours

    /// Puts a message into a neighbour's batch. Where too much is on the way there, its publisher waits.
    mutating func pack(
        _ parts: MessageParts, for shard: Int, from publisher: Origin?, exchange: Exchange? = nil
    ) -> PeerMessage {
        let message = neighbours.pack(parts, for: shard, from: publisher, exchange: exchange)
        if neighbours.ways[shard].bytes >= settings.neighbourBytesMax, let publisher,
            neighbours.ways[shard].waiters.insert(publisher)
        {
            hold(publisher)
        }
        return message
    }

    /// A neighbour's batch has been taken: it is told so in portions, small enough that it never waits for the rest of one.
    mutating func tellTaken(_ batch: PeerBatch, to shard: Int) {
        let taken = neighbours.ways[shard].taken + batch.wayBytes
        neighbours.ways[shard].taken = taken
        guard taken >= max(1, settings.neighbourBytesMax / 4) else { return }
        neighbours.ways[shard].taken = 0
        neighbours.say(.taken(taken), to: shard)
    }

    /// A neighbour has taken so many bytes of what was on the way to it.
    mutating func hearTaken(_ bytes: Int, by shard: Int) {
        neighbours.ways[shard].bytes -= bytes
        assert(neighbours.ways[shard].bytes >= 0, "more was taken than sent")
        guard neighbours.ways[shard].bytes <= settings.neighbourBytesMax / 2, !neighbours.ways[shard].waiters.isEmpty
        else { return }
        letGo(neighbours.ways[shard].waiters.takeAll())
    }
}
