/// Bytes on their way out, one growing run for each connection that has any. Runs come from a pool and are held only
/// while there is something in them: an idle connection owns no buffer.
/// Before: deliveries and replies. After: the server hands each run to its socket, once a tick.
struct Outbox: ~Copyable {
    /// A new run's size. Two fit a page.
    static let runBytesMin = 2048
    /// Larger runs go back to the system.
    static let pooledRunBytesMax = 262_144
    /// All pooled runs together.
    static let poolBytesMax = 8 << 20
    /// A run that reached this is written without waiting for the tick's end, while it is still in the cache.
    static let earlyFlushBytes = 114_688
    /// Receiving stops for a flush when the runs together reach this.
    static let totalBytesMax = 32 << 20

    /// Connections with something to write, in the order they got it.
    private(set) var dirty: [UInt32] = []
    /// Those among them whose run has reached `earlyFlushBytes`.
    private(set) var full: [UInt32] = []
    /// Bytes in all runs.
    private(set) var bytes = 0
    /// Bytes that the last flush left, because their sockets take nothing: another flush would leave them too.
    private(set) var heldBytes = 0
    private var pool: [(base: UnsafeMutableRawPointer, capacity: Int)] = []
    private var pooledBytes = 0

    init() {}

    deinit {
        for run in pool { run.base.deallocate() }
    }

    /// Room for `n` bytes at the end of the connection's run; they count as written.
    @inline(__always)
    mutating func room(_ n: Int, _ connection: UnsafeMutablePointer<Connection>, _ slot: UInt32)
        -> UnsafeMutableRawPointer
    {
        if connection.pointee.outputCapacity &- connection.pointee.outputCount < n { grow(n, connection) }
        let at = connection.pointee.outputBase.unsafelyUnwrapped + connection.pointee.outputCount
        let before = connection.pointee.outputCount
        connection.pointee.outputCount = before &+ n
        bytes &+= n
        if !connection.pointee.isDirty {
            connection.pointee.isDirty = true
            dirty.append(slot)
        }
        if before < Outbox.earlyFlushBytes, before &+ n >= Outbox.earlyFlushBytes { full.append(slot) }
        return at
    }

    @inline(__always)
    mutating func append(
        _ source: UnsafeRawBufferPointer, _ connection: UnsafeMutablePointer<Connection>, _ slot: UInt32
    ) {
        guard source.count > 0 else { return }
        room(source.count, connection, slot)
            .copyMemory(from: source.baseAddress.unsafelyUnwrapped, byteCount: source.count)
    }

    /// Shared payloads count like copied ones.
    mutating func count(shared: Int) { bytes &+= shared }

    /// Marks a connection as having something to write, though its run may be empty.
    mutating func touch(_ connection: UnsafeMutablePointer<Connection>, _ slot: UInt32) {
        guard !connection.pointee.isDirty else { return }
        connection.pointee.isDirty = true
        dirty.append(slot)
    }

    mutating func takeDirty() -> [UInt32] {
        var taken: [UInt32] = []
        swap(&taken, &dirty)
        full.removeAll(keepingCapacity: true)
        return taken
    }

    mutating func takeFull() -> [UInt32] {
        var taken: [UInt32] = []
        swap(&taken, &full)
        return taken
    }

    /// Whether a flush is due in the middle of receiving, and can be of use.
    @inline(__always)
    var wantsFlush: Bool { !full.isEmpty || bytes >= Outbox.totalBytesMax &+ heldBytes }

    /// Bytes that have come since the last flush. Less is told where a socket has meanwhile taken some of those it had left.
    var waitingBytes: Int { max(0, bytes &- heldBytes) }

    /// The flush is over: gives the list from `takeDirty` back for its capacity.
    mutating func recycle(_ list: consuming [UInt32]) {
        heldBytes = bytes
        guard dirty.isEmpty, dirty.capacity < list.capacity else { return }
        list.removeAll(keepingCapacity: true)
        dirty = list
    }

    /// The run has been handed on: empty it.
    mutating func clear(_ connection: UnsafeMutablePointer<Connection>) {
        bytes &-= connection.pointee.outputCount &+ connection.pointee.outputShared
        connection.pointee.outputCount = 0
        connection.pointee.outputShared = 0
        guard let base = connection.pointee.outputBase else { return }
        let capacity = connection.pointee.outputCapacity
        connection.pointee.outputBase = nil
        connection.pointee.outputCapacity = 0
        if capacity <= Outbox.pooledRunBytesMax, pooledBytes + capacity <= Outbox.poolBytesMax {
            pool.append((base, capacity))
            pooledBytes += capacity
        } else {
            base.deallocate()
        }
    }

    @inline(never)
    private mutating func grow(_ n: Int, _ connection: UnsafeMutablePointer<Connection>) {
        let wanted = max(connection.pointee.outputCount + n, Outbox.runBytesMin)
        if connection.pointee.outputBase == nil, let run = pool.popLast() {
            pooledBytes -= run.capacity
            if run.capacity >= wanted {
                connection.pointee.outputBase = run.base
                connection.pointee.outputCapacity = run.capacity
                return
            }
            run.base.deallocate()
        }
        var capacity = max(connection.pointee.outputCapacity, Outbox.runBytesMin)
        while capacity < wanted { capacity *= 2 }
        let larger = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 16)
        if let base = connection.pointee.outputBase {
            larger.copyMemory(from: base, byteCount: connection.pointee.outputCount)
            base.deallocate()
        }
        connection.pointee.outputBase = larger
        connection.pointee.outputCapacity = capacity
    }
}
