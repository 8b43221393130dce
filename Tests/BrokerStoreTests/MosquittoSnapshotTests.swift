import BrokerStore
import Glibc
import SeededRandom
import Testing

/// mosquitto's file, version by version, whole and damaged. Files written by a real mosquitto are read in
/// `MosquittoFileTests`.
@Suite("mosquitto.db")
struct MosquittoSnapshotTests {
    private typealias Chunk = MosquittoSnapshot.Chunk

    /// All that a file holds, messages read where they lie.
    private func read(_ path: String) throws -> (chunks: [Chunk], messages: [MosquittoSnapshot.Message]) {
        var reader = try MosquittoSnapshotReader(path: path)
        var chunks: [Chunk] = []
        var messages: [MosquittoSnapshot.Message] = []
        while let chunk = try reader.next() {
            if case .message(let place) = chunk {
                messages.append(try reader.message(at: place))
            } else {
                chunks.append(chunk)
            }
        }
        return (chunks, messages)
    }

    /// Something of everything.
    static func sample(version: UInt32, alignment: Int = 8) -> [UInt8] {
        var file = SnapshotWriter(version: version, alignment: alignment)
        file.configuration(lastMessage: 9)
        file.message(
            9, "a/b", payload: [0, 255, 10], qos: 2, retain: true, expiresAt: 1_900_000_000, source: "pub",
            username: "user", properties: [0x01, 1, 0x26, 0, 1, 0x6B, 0, 1, 0x76])
        file.message(4, "ä/€", payload: [], qos: 1)
        file.client("c1", expiryInterval: 3_600, expiresAt: 1_800_000_000, username: "user")
        file.claim("c1", 4, identifier: 1, qos: 1, state: .waitForPuback, isDuplicate: true)
        file.claim(
            "c1", 9, identifier: 2, qos: 2, state: .waitForPubcomp, retain: true, subscriptionIdentifiers: [7, 9])
        file.claim("c1", 9, identifier: 44, qos: 2, state: .waitForPubrel, isIncoming: true)
        file.subscription("c1", "a/#", qos: 2, options: 12, identifier: 7)
        file.retained(9)
        return file.bytes
    }

    private static let layouts: [(UInt32, Int)] = [(4, 8), (4, 4), (5, 8), (5, 4), (6, 8), (6, 4)]

    @Test("Versions 4, 5 and 6 of 64-bit and 32-bit machines are read whole", arguments: layouts)
    func versions(version: UInt32, alignment: Int) throws {
        let scratch = try Scratch()
        let (chunks, messages) = try read(scratch.write(Self.sample(version: version, alignment: alignment)))
        let isOld = version < 5
        let first = MosquittoSnapshot.Message(
            id: 9, topic: Array("a/b".utf8), payload: [0, 255, 10], qos: 2, retain: true,
            expiresAt: isOld ? nil : 1_900_000_000, source: Array("pub".utf8),
            username: Array("user".utf8), port: 1883, properties: isOld ? [] : [0x01, 1, 0x26, 0, 1, 0x6B, 0, 1, 0x76])
        let second = MosquittoSnapshot.Message(
            id: 4, topic: Array("ä/€".utf8), payload: [], qos: 1, retain: false, expiresAt: nil, source: [],
            username: [], port: 1883, properties: [])
        #expect(messages == [first, second])

        let name = Array("c1".utf8)
        let client = MosquittoSnapshot.Client(
            identifier: name, expiryInterval: isOld ? .max : 3_600, expiresAt: isOld ? nil : 1_800_000_000,
            username: version < 6 ? [] : Array("user".utf8), port: version < 6 ? 0 : 1883)
        var claim = MosquittoSnapshot.ClientMessage(
            client: name, message: 4, identifier: 1, qos: 1, retain: false, isDuplicate: true, isIncoming: false,
            state: .waitForPuback, subscriptionIdentifiers: [])
        var expected: [Chunk] = [.configuration(lastMessage: 9, wasShutDown: true), .client(client)]
        expected.append(.clientMessage(claim))
        (claim.message, claim.identifier, claim.qos) = (9, 2, 2)
        (claim.state, claim.isDuplicate, claim.retain) = (.waitForPubcomp, false, true)
        claim.subscriptionIdentifiers = isOld ? [] : [7, 9]
        expected.append(.clientMessage(claim))
        (claim.identifier, claim.state, claim.isIncoming, claim.retain) = (44, .waitForPubrel, true, false)
        claim.subscriptionIdentifiers = []
        expected.append(.clientMessage(claim))
        let subscription = MosquittoSnapshot.Subscription(
            client: name, filter: Array("a/#".utf8), qos: 2, noLocal: !isOld, retainAsPublished: !isOld,
            identifier: isOld ? 0 : 7)
        expected += [.subscription(subscription), .retained(message: 9)]
        #expect(chunks == expected)
    }

    @Test("A chunk of an unknown kind is passed over")
    func unknownChunk() throws {
        var file = SnapshotWriter(version: 6)
        file.chunk(77, [1, 2, 3])
        file.retained(5)
        let scratch = try Scratch()
        let (chunks, _) = try read(scratch.write(file.bytes))
        #expect(chunks == [.unknown(kind: 77, length: 3), .retained(message: 5)])
    }

    @Test("What is no snapshot, or one that we do not know, is told with its place")
    func foreign() throws {
        let scratch = try Scratch()
        func failure(_ bytes: [UInt8]) throws -> MosquittoSnapshotError? {
            let path = try scratch.write(bytes)
            return #expect(throws: MosquittoSnapshotError.self) { _ = try read(path) }
        }
        #expect(try failure([]) == .init(.notSnapshot, at: 0))
        #expect(try failure(Array("SQLite format 3\0 and more of it".utf8)) == .init(.notSnapshot, at: 0))
        for version: UInt32 in [0, 3, 7, .max] {
            #expect(try failure(SnapshotWriter(version: version).bytes) == .init(.version(version), at: 19))
        }
        var four = SnapshotWriter(version: 6)
        four.configuration(lastMessage: 1, numberSize: 4)
        #expect(try failure(four.bytes)?.reason == .messageNumberSize(4))
        #expect(throws: MosquittoSnapshotError(.unreadable(ENOENT), at: 0)) {
            _ = try read("\(scratch.directory)/none.db")
        }
        let bytes = SnapshotWriter(version: 7).bytes
        #expect(MosquittoSnapshotReader.recognizes(path: try scratch.write(bytes)))
        #expect(!MosquittoSnapshotReader.recognizes(path: try scratch.write(Array("SQLite format 3".utf8))))
        #expect(!MosquittoSnapshotReader.recognizes(path: "\(scratch.directory)/none.db"))
    }

    @Test("A file cut short is never taken for a whole one", arguments: [4, 5, 6] as [UInt32])
    func cutShort(version: UInt32) throws {
        let scratch = try Scratch()
        let whole = Self.sample(version: version)
        // A cut between two chunks leaves a shorter file that is whole in itself.
        var reader = try MosquittoSnapshotReader(path: scratch.write(whole))
        var ends: Set<Int> = [reader.offset]
        while try reader.next() != nil { ends.insert(reader.offset) }
        for count in 0..<whole.count {
            let path = try scratch.write(Array(whole.prefix(count)))
            if ends.contains(count) {
                #expect(throws: Never.self) { _ = try read(path) }
            } else {
                #expect(throws: MosquittoSnapshotError.self, "\(count) of \(whole.count) bytes") { _ = try read(path) }
            }
        }
    }

    @Test("A length that the file does not have allocates nothing")
    func hostileLength() throws {
        let scratch = try Scratch()
        for kind in 1...7 {
            var bytes = SnapshotWriter(version: 6).bytes
            bytes += [0, 0, 0, UInt8(kind), 0xFF, 0xFF, 0xFF, 0xF0] + [UInt8](repeating: 0, count: 64)
            let path = try scratch.write(bytes)
            #expect(throws: MosquittoSnapshotError(.cutShort(needed: 0xFFFF_FFF0, left: 64), at: 23)) {
                _ = try read(path)
            }
        }
    }

    @Test("20,000 damaged files: each is read or refused, and the refusal names a place inside the file")
    func damaged() throws {
        let scratch = try Scratch()
        var random = SeededGenerator(seed: 2_026)
        let wholes = Self.layouts.map { Self.sample(version: $0.0, alignment: $0.1) }
        var refused = 0
        for round in 0..<20_000 {
            var bytes = wholes[round % wholes.count]
            for _ in 0...random.next() % 4 {
                let at = Int(random.next() % UInt64(bytes.count))
                switch random.next() % 5 {
                case 0: bytes[at] = UInt8(truncatingIfNeeded: random.next())
                case 1: bytes[at] ^= 1 << (random.next() % 8)
                case 2: bytes[at] = 0xFF
                case 3: bytes.insert(UInt8(truncatingIfNeeded: random.next()), at: at)
                default: bytes.remove(at: at)
                }
            }
            let path = try scratch.write(bytes)
            do {
                _ = try read(path)
            } catch let error as MosquittoSnapshotError {
                refused += 1
                try #require((0...bytes.count).contains(error.offset), "round \(round): \(error)")
            }
        }
        #expect(refused > 5_000)
    }
}
