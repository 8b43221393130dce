import Glibc

/// Reads a `mosquitto.db` chunk by chunk, so that a file of any size costs the memory of its largest chunk. What a chunk
/// promises is held against what the file has before anything is allocated.
///
/// Versions 4, 5 and 6 are read; how each lays out a chunk is in `MosquittoSnapshotReader+chunks`. The file is never
/// written to.
package struct MosquittoSnapshotReader: ~Copyable {
    package typealias Failure = MosquittoSnapshotError

    package let version: UInt32
    /// Bytes of the whole file.
    package let size: Int
    private let descriptor: Int32
    /// Where the next chunk begins.
    package private(set) var offset: Int
    /// What was read ahead, and where it begins in the file.
    private var window: [UInt8] = []
    private var windowStart = 0

    private static let windowBytes = 1 << 18
    private static let headerBytes = 23

    /// Opens a snapshot. Throws where the file cannot be read, is none, or is of a version that we do not know.
    package init(path: String) throws(Failure) {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Failure(.unreadable(errno), at: 0) }
        do throws(Failure) {
            (size, version) = try Self.header(descriptor)
        } catch {
            close(descriptor)
            throw error
        }
        self.descriptor = descriptor
        offset = Self.headerBytes
    }

    deinit { close(descriptor) }

    /// Whether a file begins as mosquitto's snapshots do.
    package static func recognizes(path: String) -> Bool {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        let first = try? bytes(of: descriptor, MosquittoSnapshot.magic.count, at: 0)
        return first == MosquittoSnapshot.magic
    }

    /// The next chunk, nil at the end of the file.
    package mutating func next() throws(Failure) -> MosquittoSnapshot.Chunk? {
        guard offset < size else { return nil }
        // Up to version 4 the kind is two bytes long.
        let kindBytes = version < 5 ? 2 : 4
        let start = offset
        let header = try window(kindBytes + 4, at: start)
        var fields = SnapshotHeader(window[header], kindBytes: kindBytes)
        let body = start + kindBytes + 4
        guard fields.length <= size - body else {
            throw Failure(.cutShort(needed: fields.length, left: size - body), at: start)
        }
        offset = body + fields.length
        if fields.kind == SnapshotKind.message.rawValue {
            // Only its number and, since version 5, its end are needed now: the payload may be large.
            let count = version < 5 ? 8 : 16
            guard fields.length >= count else {
                throw Failure(.chunkLength(kind: fields.kind, length: fields.length), at: start)
            }
            let numbers = try window(count, at: body)
            fields.read(window[numbers])
            return .message(
                .init(id: fields.id, offset: body, length: fields.length, expiresAt: fields.expiresAt))
        }
        guard let kind = SnapshotKind(rawValue: fields.kind) else {
            return .unknown(kind: fields.kind, length: fields.length)
        }
        // The longest is a claim: a name, and properties that are subscription identifiers.
        guard fields.length <= 1 << 20 else {
            throw Failure(.chunkLength(kind: fields.kind, length: fields.length), at: start)
        }
        let place = try window(fields.length, at: body)
        let version = version
        return try window.withUnsafeBytes { bytes in
            Result { () throws(Failure) in
                var chunk = SnapshotFields(
                    UnsafeRawBufferPointer(rebasing: bytes[place]), kind: fields.kind, start: body)
                return try chunk.chunk(kind, version: version)
            }
        }.get()
    }

    /// The message at a place that `next` named.
    package func message(at place: MosquittoSnapshot.MessagePlace) throws(Failure) -> MosquittoSnapshot.Message {
        let body = try Self.bytes(of: descriptor, place.length, at: place.offset)
        return try body.withUnsafeBytes { bytes in
            Result { () throws(Failure) in
                var fields = SnapshotFields(bytes, kind: SnapshotKind.message.rawValue, start: place.offset)
                return try fields.message(version: version)
            }
        }.get()
    }

    private static func header(_ descriptor: Int32) throws(Failure) -> (size: Int, version: UInt32) {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw Failure(.unreadable(errno), at: 0) }
        let size = Int(status.st_size)
        let magic = MosquittoSnapshot.magic
        guard size >= headerBytes else { throw Failure(.notSnapshot, at: 0) }
        let header = try bytes(of: descriptor, headerBytes, at: 0)
        guard header.starts(with: magic) else { throw Failure(.notSnapshot, at: 0) }
        // Four bytes of checksum, which mosquitto has always left at zero and never reads, then the version.
        let version = header.suffix(4).reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        guard MosquittoSnapshot.versions.contains(version) else { throw Failure(.version(version), at: 19) }
        return (size, version)
    }

    /// Makes sure that the window holds these bytes and says where.
    private mutating func window(_ count: Int, at start: Int) throws(Failure) -> Range<Int> {
        if start < windowStart || start + count > windowStart + window.count {
            guard start + count <= size else {
                throw Failure(.cutShort(needed: count, left: size - start), at: start)
            }
            window = try Self.bytes(of: descriptor, min(max(count, Self.windowBytes), size - start), at: start)
            windowStart = start
        }
        return start - windowStart..<start - windowStart + count
    }

    /// Exactly so many bytes.
    private static func bytes(of descriptor: Int32, _ count: Int, at offset: Int) throws(Failure) -> [UInt8] {
        var failure: Failure?
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            while filled < count {
                let got = pread(
                    descriptor, buffer.baseAddress.unsafelyUnwrapped + filled, count - filled, offset + filled)
                if got > 0 {
                    filled += got
                } else if got == 0 {
                    failure = Failure(.cutShort(needed: count, left: filled), at: offset)
                    return
                } else if errno != EINTR {
                    failure = Failure(.unreadable(errno), at: offset)
                    return
                }
            }
        }
        if let failure { throw failure }
        return bytes
    }
}

/// What stands before every chunk.
private struct SnapshotHeader {
    let kind: UInt32
    let length: Int
    var id: UInt64 = 0
    var expiresAt: Int64?

    init(_ bytes: ArraySlice<UInt8>, kindBytes: Int) {
        kind = bytes.prefix(kindBytes).reduce(0) { $0 << 8 | UInt32($1) }
        length = bytes.suffix(4).reduce(0) { $0 << 8 | Int($1) }
    }

    /// The number of a message and, where they are given, the seconds of its end.
    mutating func read(_ bytes: ArraySlice<UInt8>) {
        func number(_ bytes: ArraySlice<UInt8>) -> UInt64 { bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) } }
        id = number(bytes.prefix(8))
        let seconds = Int64(bitPattern: number(bytes.dropFirst(8)))
        expiresAt = seconds > 0 ? seconds : nil
    }
}
