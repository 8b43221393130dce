import MQTTDelivery
import MQTTProtocol
import MQTTTransport

#if canImport(Darwin)
import Darwin
#elseif canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// A file that keeps messages of QoS 1 and 2 from `publish` until the server has acknowledged them, also when the process
/// ends before. A client that is made with the same file sends them first, as new messages: what the server had but could
/// not acknowledge in time it may get twice, at QoS 2 as well.
///
/// Records are appended, written once a tick, and not synced: they survive the process, not a loss of power. The file is
/// cut to nothing whenever nothing waits. One process may use it at a time.
public struct MessageStore: Sendable, Hashable {
    public let path: String

    /// - Parameter path: made with mode 0600 if it is not there; its folder must be.
    public init(path: String) { self.path = path }
}

/// The open file of a `MessageStore`. A record is its length (4 bytes), its kind (1), a number (8) and, of a message, the
/// second it was stored (8) and a PUBLISH packet. It ends where a record is not whole: a process died there.
final class MessageFile {
    private enum Kind: UInt8 {
        case message = 1
        case done = 2
    }

    private static let headBytes = 13
    /// A file smaller than this is not worth rewriting, in bytes.
    private static let compactBytesMin = 4 * 1024 * 1024

    private var descriptor: Int32
    private let path: String
    private var pending = ByteRun(capacity: 1_024)
    private var live: [UInt64: Int] = [:]
    private var liveBytes = 0
    private var fileBytes = 0
    private var lastNumber: UInt64 = 0
    /// Messages of an earlier process, oldest first; taken by the client when it starts.
    private(set) var kept: [(number: UInt64, message: Message)] = []

    /// - Throws: `ClientError.storeFailed` where the file cannot be opened, read, or is in use.
    init(_ store: MessageStore, now: UInt64) throws(ClientError) {
        path = store.path
        let descriptor = open(store.path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw Self.failure("cannot open", store.path) }
        self.descriptor = descriptor
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else { throw Self.failure("cannot lock", store.path) }
        try load(now: now)
    }

    deinit { finish() }

    /// Writes what is left and lets go of the file.
    func finish() {
        guard descriptor >= 0 else { return }
        write()
        close(descriptor)
        descriptor = -1
    }

    /// Takes a message up; it is in the file after the next `write`.
    func add(_ message: Message, now: UInt64) -> UInt64 {
        lastNumber += 1
        append(message, lastNumber, now: now)
        return lastNumber
    }

    private func append(_ message: Message, _ number: UInt64, now: UInt64) {
        let packet = PublishPacket(message, packetIdentifier: message.qos == .atMostOnce ? 0 : 1).wire
        let bytes = Self.headBytes + 8 + packet.encodedSize(version: .v5)
        pending.append(UInt32(bytes))
        pending.append(Kind.message.rawValue)
        append(number)
        append(now)
        packet.encode(into: &pending, version: .v5)
        live[number] = bytes
        liveBytes += bytes
    }

    /// The server has it, or never will.
    func remove(_ number: UInt64) {
        guard let bytes = live.removeValue(forKey: number) else { return }
        liveBytes -= bytes
        pending.append(UInt32(Self.headBytes))
        pending.append(Kind.done.rawValue)
        append(number)
    }

    private func append(_ value: UInt64) {
        pending.append(UInt32(truncatingIfNeeded: value >> 32))
        pending.append(UInt32(truncatingIfNeeded: value))
    }

    /// Writes what was gathered. A full disk loses the store's promise, not the messages of this process.
    func write() {
        guard descriptor >= 0 else { return }
        if live.isEmpty, fileBytes > 0 || !pending.isEmpty {
            pending.removeAll()
            guard fileBytes > 0, ftruncate(descriptor, 0) == 0 else { return }
            lseek(descriptor, 0, SEEK_SET)
            fileBytes = 0
            return
        }
        guard !pending.isEmpty else { return }
        var done = 0
        while done < pending.count {
            let rest = UnsafeRawBufferPointer(rebasing: pending.bytes[done...])
            let count = systemWrite(descriptor, rest.baseAddress, rest.count)
            guard count > 0 else { break }
            done += count
        }
        fileBytes += done
        pending.removeAll()
        if fileBytes > Self.compactBytesMin, fileBytes > 4 * liveBytes { compact() }
    }

    // MARK: Reading

    private func load(now: UInt64) throws(ClientError) {
        let bytes = try contents()
        var messages: [UInt64: Stored] = [:]
        let end = Self.read(bytes) { record in
            lastNumber = max(lastNumber, record.number)
            messages[record.number] = record.content
            live[record.number] = record.content == nil ? nil : record.bytes
        }
        liveBytes = live.values.reduce(0, +)
        fileBytes = end
        guard ftruncate(descriptor, off_t(end)) == 0 else { throw Self.failure("cannot write", path) }
        lseek(descriptor, 0, SEEK_END)
        for (number, stored) in messages.sorted(by: { $0.key < $1.key }) {
            var message = stored.message
            if let seconds = message.properties.messageExpiryIntervalSeconds {
                let waited = now > stored.second ? now - stored.second : 0
                guard waited < UInt64(seconds) else {
                    remove(number)
                    continue
                }
                message.properties.messageExpiryIntervalSeconds = seconds - UInt32(waited)
            }
            kept.append((number, message))
        }
        write()
    }

    private func contents() throws(ClientError) -> [UInt8] {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw Self.failure("cannot read", path) }
        var bytes = [UInt8](repeating: 0, count: Int(status.st_size))
        var done = 0
        while done < bytes.count {
            let count = bytes[done...].withUnsafeMutableBytes { systemRead(descriptor, $0.baseAddress, $0.count) }
            guard count > 0 else { throw Self.failure("cannot read", path) }
            done += count
        }
        return bytes
    }

    private struct Stored {
        let second: UInt64
        let message: Message
    }

    private struct Record {
        let bytes: Int
        let number: UInt64
        /// Nil = done.
        let content: Stored?
    }

    /// Walks the whole records; returns where the last of them ends.
    private static func read(_ bytes: [UInt8], _ body: (Record) -> Void) -> Int {
        bytes.withUnsafeBytes { all in
            var at = 0
            while let record = record(all, at: at) {
                at += record.bytes
                body(record)
            }
            return at
        }
    }

    /// The record at an offset; nil where none is whole.
    private static func record(_ all: UnsafeRawBufferPointer, at: Int) -> Record? {
        guard all.count - at >= headBytes else { return nil }
        func number(_ offset: Int) -> UInt64 {
            UInt64(bigEndian: all.loadUnaligned(fromByteOffset: at + offset, as: UInt64.self))
        }
        let bytes = Int(UInt32(bigEndian: all.loadUnaligned(fromByteOffset: at, as: UInt32.self)))
        guard bytes >= headBytes, all.count - at >= bytes, let kind = Kind(rawValue: all[at + 4]) else { return nil }
        guard kind == .message else { return Record(bytes: bytes, number: number(5), content: nil) }
        guard bytes > headBytes + 8 else { return nil }
        let packet = UnsafeRawBufferPointer(rebasing: all[(at + headBytes + 8)..<(at + bytes)])
        var codec = ClientCodec(ClientConfiguration())
        guard let found = try? codec.decode(packet), found.consumed == packet.count,
            case .publish(let publish) = found.packet.content
        else { return nil }
        var message = publish.message
        message.receipt = nil
        return Record(
            bytes: bytes, number: number(5), content: Stored(second: number(headBytes), message: message))
    }

    // MARK: Rewriting

    /// Only what is live, in a new file that takes the place of the old one. What cannot be done is left as it was.
    private func compact() {
        lseek(descriptor, 0, SEEK_SET)
        defer { lseek(descriptor, 0, SEEK_END) }
        guard let bytes = try? contents() else { return }
        let next = open(path + ".new", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard next >= 0, flock(next, LOCK_EX | LOCK_NB) == 0 else { return }
        let before = (descriptor, live, liveBytes, fileBytes)
        descriptor = next
        (live, liveBytes, fileBytes) = ([:], 0, 0)
        _ = Self.read(bytes) { record in
            guard let content = record.content, before.1[record.number] != nil else { return }
            append(content.message, record.number, now: content.second)
        }
        let wanted = pending.count
        write()
        guard fileBytes == wanted, rename(path + ".new", path) == 0 else {
            (descriptor, live, liveBytes, fileBytes) = before
            close(next)
            return
        }
        close(before.0)
    }

    private static func failure(_ what: String, _ path: String) -> ClientError {
        .storeFailed("\(what) \(path): \(String(cString: strerror(errno)))")
    }
}
