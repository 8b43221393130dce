package import BrokerCore
import Glibc
import MQTTProtocol

extension StoreImport {
    /// Fills an empty store with what `StoreExport` wrote. Nothing is left out silently: a line that cannot be taken stops
    /// the import and is named.
    ///
    /// - Parameters:
    ///   - progress: is told how many bytes of how many are read.
    ///   - perform: asks the store and waits for its answer.
    /// - Throws: `StoreImportError`, or what `perform` throws.
    package static func lines(
        from path: String, using random: inout some RandomNumberGenerator,
        progress: (_ done: Int, _ whole: Int) -> Void = { _, _ in },
        perform: @escaping (StorageRequest) throws -> StorageEvent
    ) throws -> ImportSummary {
        var source = try LineSource(path: path)
        var taker = LineTaker(StoreFiller(perform))
        while let line = try source.next() {
            progress(source.done, source.size)
            do {
                try taker.take(line, using: &random)
            } catch let error as JSONFields.Failure {
                throw StoreImportError.lines(.init(line: source.line, reason: error.reason))
            } catch let error as JSONValue.Failure {
                throw StoreImportError.lines(
                    .init(line: source.line, reason: "\(error.reason), at byte \(error.offset + 1)"))
            }
        }
        return try taker.finish()
    }
}

/// Takes one line after the other into a store.
private struct LineTaker {
    private var filler: StoreFiller
    private var queues: [[UInt8]: QueueID] = [:]
    private var summary = ImportSummary()
    private var hasBegun = false
    /// A message whose entries are still coming.
    private var waiting: (number: Int64, message: LoggedMessage, claims: [StoreFiller.Claim])?

    init(_ filler: StoreFiller) { self.filler = filler }

    mutating func take(_ line: ArraySlice<UInt8>, using random: inout some RandomNumberGenerator) throws {
        guard line.contains(where: { $0 != 0x20 && $0 != 0x09 && $0 != 0x0D }) else { return }
        let fields = JSONFields(try JSONValue(parsing: line))
        let type = String(decoding: try fields.text("type"), as: UTF8.self)
        guard hasBegun || type == "store" else {
            throw JSONFields.Failure(reason: "the first line is not {\"type\":\"store\",…}: this is no exported store")
        }
        if type == "entry" { return try takeEntry(fields) }
        try endMessage()
        switch type {
        case "store":
            let version = try fields.number("version", Int.self)
            guard version <= StoreLine.version, !hasBegun else {
                throw JSONFields.Failure(
                    reason: hasBegun
                        ? "a second store"
                        : "version \(version); this Martlet knows versions up to \(StoreLine.version)")
            }
            hasBegun = true
        case "session": try takeSession(fields, &random)
        case "message":
            waiting = (try fields.number("id", Int64.self), try StoreLineReader.message(fields), [])
        case "retained":
            try filler.add(try StoreLineReader.message(fields), claims: [], isRetained: true)
            summary.retained += 1
        default: throw JSONFields.Failure(reason: "\"\(type)\" is no type of line")
        }
    }

    private mutating func takeSession(_ fields: JSONFields, _ random: inout some RandomNumberGenerator) throws {
        let session = try StoreLineReader.session(fields, queue: QueueID(random.next() | 1))
        let name = session.record.clientIdentifier.bytes
        guard queues[name] == nil else { throw JSONFields.Failure(reason: "this session stands twice") }
        queues[name] = session.record.queue
        try filler.put(session.record)
        for identifier in session.received { filler.addReceived(identifier, session.record.queue) }
        for share in session.shares { filler.add(share, session.record.queue) }
        summary.sessions += 1
        summary.subscriptions += session.record.subscriptions.count
    }

    private mutating func takeEntry(_ fields: JSONFields) throws {
        guard let message = waiting, message.number == (try fields.number("message", Int64.self)) else {
            throw JSONFields.Failure(reason: "an entry stands behind the message it names")
        }
        guard let queue = queues[try fields.text("client")] else {
            throw JSONFields.Failure(reason: "an entry of a session that did not come")
        }
        guard !message.claims.contains(where: { $0.queue == queue }) else {
            throw JSONFields.Failure(reason: "one session waits for a message once")
        }
        waiting?.claims.append(try StoreLineReader.claim(fields, queue: queue))
        summary.queued += 1
    }

    private mutating func endMessage() throws {
        guard let message = waiting else { return }
        waiting = nil
        // One that nobody waits for is nobody's loss.
        guard !message.claims.isEmpty else { return }
        try filler.add(message.message, claims: message.claims, isRetained: false)
    }

    mutating func finish() throws -> ImportSummary {
        try endMessage()
        guard hasBegun else { throw StoreImportError.lines(.init(line: 1, reason: "the file is empty")) }
        try filler.finish()
        return summary
    }
}

/// Reads a file line by line. Owns the descriptor.
private struct LineSource: ~Copyable {
    /// Of one line: the largest payload MQTT has, in base64, and what stands around it.
    private static let lineBytesMax = 512 << 20
    private static let pieceBytes = 1 << 18

    private let descriptor: Int32
    let size: Int
    private(set) var done = 0
    /// The line that was given last, counted from 1.
    private(set) var line = 0
    private var buffer: [UInt8] = []
    private var start = 0
    /// Up to here the buffer was searched for the line's end.
    private var searched = 0
    private var isAtEnd = false

    init(path: String) throws {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        var status = stat()
        guard descriptor >= 0, fstat(descriptor, &status) == 0 else {
            let number = errno
            if descriptor >= 0 { close(descriptor) }
            throw StoreImportError.unreadable(path, number)
        }
        self.descriptor = descriptor
        size = Int(status.st_size)
    }

    deinit { close(descriptor) }

    /// The next line without its end, nil at the end of the file.
    mutating func next() throws -> ArraySlice<UInt8>? {
        while true {
            if let end = buffer[searched...].firstIndex(of: 0x0A) {
                let found = buffer[start..<end]
                start = end + 1
                searched = start
                line += 1
                return found
            }
            searched = buffer.count
            guard !isAtEnd else { break }
            guard buffer.count - start <= Self.lineBytesMax else {
                throw StoreImportError.lines(.init(line: line + 1, reason: "longer than any message can be"))
            }
            try fill()
        }
        guard start < buffer.count else { return nil }
        defer { start = buffer.count }
        line += 1
        return buffer[start...]
    }

    private mutating func fill() throws {
        buffer.removeSubrange(..<start)
        searched -= start
        start = 0
        var piece = [UInt8](repeating: 0, count: Self.pieceBytes)
        var count = Glibc.read(descriptor, &piece, piece.count)
        while count < 0, errno == EINTR { count = Glibc.read(descriptor, &piece, piece.count) }
        guard count >= 0 else {
            throw StoreImportError.lines(.init(line: line + 1, reason: "cannot be read (errno \(errno))"))
        }
        isAtEnd = count == 0
        done += count
        buffer += piece.prefix(count)
    }
}
