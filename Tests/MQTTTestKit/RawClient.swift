import Glibc

/// What a raw client saw instead of what the test asked for. The description carries the place in the test, because a
/// thrown error has no other.
package struct Mismatch: Error, CustomStringConvertible {
    package enum Reason: Hashable, Sendable { case closed, timedOut, unexpected, socket }
    package let reason: Reason
    package let description: String

    package init(_ reason: Reason, _ text: String, _ file: StaticString, _ line: UInt) {
        self.reason = reason
        description = "\(file):\(line): \(text)"
    }
}

/// A blocking TCP socket that speaks MQTT bytes and always gives up in time. Knows no rules: it sends what it is told
/// and shows what came. One client belongs to one test, on one thread.
package final class RawClient {
    /// How received bytes are read: 3, 4 or 5. Follows the last `connect`.
    package var version: UInt8
    /// Milliseconds that one receive may take.
    package var deadlineMilliseconds: Int
    /// What the broker said to the last accepted `connect`.
    package internal(set) var connack: ReceivedPacket?
    private var descriptor: Int32
    private var unread: [UInt8] = []
    /// Bytes at the front of `unread` that have been taken.
    private var takenCount = 0
    /// Packets already taken from `unread` by a step that looked for another one; they come next.
    private var setAside: [ReceivedPacket] = []
    private var atEnd = false

    /// Opens the connection; sends nothing.
    package init(
        _ broker: BrokerProcess, version: UInt8 = 4, deadlineMilliseconds: Int = patienceMilliseconds,
        receiveBufferBytes: Int32? = nil, file: StaticString = #fileID, line: UInt = #line
    ) throws {
        self.version = version
        self.deadlineMilliseconds = deadlineMilliseconds
        guard let opened = Loopback.connect(port: broker.port, receiveBufferBytes: receiveBufferBytes) else {
            throw Mismatch(.socket, "cannot connect to port \(broker.port): errno \(errno)\n\(broker.log)", file, line)
        }
        descriptor = opened
    }

    /// The same to a port of any broker, at any loopback address.
    package init(
        _ host: Loopback.Host = .first, port: UInt16, version: UInt8 = 4,
        deadlineMilliseconds: Int = patienceMilliseconds,
        file: StaticString = #fileID, line: UInt = #line
    ) throws {
        self.version = version
        self.deadlineMilliseconds = deadlineMilliseconds
        guard let opened = Loopback.connect(host, port: port) else {
            throw Mismatch(.socket, "cannot connect to \(host.rawValue) port \(port): errno \(errno)", file, line)
        }
        descriptor = opened
    }

    deinit { close() }

    // MARK: sending

    /// Writes everything. A peer that has closed is no error here: the next receive tells.
    package func send(_ bytes: [UInt8]) {
        var sent = 0
        while sent < bytes.count, descriptor >= 0 {
            let count = bytes[sent...].withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { return }
            sent += count
        }
    }

    /// Writes what the socket takes within the time, and says how many bytes those were: fewer where the broker has
    /// stopped reading.
    package func offer(_ bytes: ArraySlice<UInt8>, withinMilliseconds limit: Int) -> Int {
        let deadline = Deadline(milliseconds: limit)
        var sent = 0
        while sent < bytes.count, descriptor >= 0 {
            let count = bytes.dropFirst(sent).withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
            }
            if count > 0 {
                sent += count
            } else if errno == EAGAIN {
                guard deadline.millisecondsLeft > 0, deadline.wait(for: descriptor, toWrite: true) else { break }
            } else if errno != EINTR {
                break
            }
        }
        return sent
    }

    /// Writes `bytes` in pieces of `pieceBytes`, so that packets arrive cut anywhere.
    package func sendSlowly(_ bytes: [UInt8], pieceBytes: Int = 1, pauseMilliseconds: UInt32 = 1) {
        for start in stride(from: 0, to: bytes.count, by: pieceBytes) {
            send(Array(bytes[start..<min(start + pieceBytes, bytes.count)]))
            usleep(pauseMilliseconds * 1_000)
        }
    }

    /// Closes the socket in the ordinary way, without a DISCONNECT: for MQTT a network failure. The broker notices some
    /// time later; a test that needs it to have noticed waits for a will, or uses `disconnect`.
    package func close() {
        guard descriptor >= 0 else { return }
        Glibc.close(descriptor)
        descriptor = -1
    }

    /// Closes with a TCP reset.
    package func reset() {
        guard descriptor >= 0 else { return }
        var option = linger(l_onoff: 1, l_linger: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
        close()
    }

    /// No more bytes will be sent, but receiving goes on.
    package func finishSending() { shutdown(descriptor, Int32(SHUT_WR)) }

    // MARK: receiving

    /// The next packet; nil when the broker closed first, or when nothing whole came within the deadline.
    package func next(
        withinMilliseconds limit: Int? = nil, file: StaticString = #fileID, line: UInt = #line
    ) throws -> ReceivedPacket? {
        do {
            return try receive(withinMilliseconds: limit, file: file, line: line)
        } catch let mismatch as Mismatch where mismatch.reason == .closed || mismatch.reason == .timedOut {
            return nil
        }
    }

    /// The next packet. Throws `Mismatch` (`closed`, `timedOut`).
    package func receive(
        withinMilliseconds limit: Int? = nil, file: StaticString = #fileID, line: UInt = #line
    ) throws -> ReceivedPacket {
        let deadline = Deadline(milliseconds: limit ?? deadlineMilliseconds)
        while true {
            if let packet = takePacket() { return packet }
            if atEnd {
                throw Mismatch(.closed, "the broker closed the connection\(leftovers)", file, line)
            }
            guard fill(until: deadline) else {
                throw Mismatch(.timedOut, "nothing came in time\(leftovers)", file, line)
            }
        }
    }

    /// What has come, without waiting: for a test that serves many clients on one thread. Empty where nothing whole is
    /// there; `hasEnded` says whether anything can still come.
    package func arrived() -> [ReceivedPacket] {
        _ = fill(until: Deadline(milliseconds: 0))
        var packets: [ReceivedPacket] = []
        while let packet = takePacket() { packets.append(packet) }
        return packets
    }

    /// The broker has closed, or we have.
    package var hasEnded: Bool { atEnd || descriptor < 0 }

    /// The next packet that `isWanted`, ahead of others, which keep their place. For steps whose answer may come
    /// mixed with other traffic.
    package func receive(
        file: StaticString = #fileID, line: UInt = #line, where isWanted: (ReceivedPacket) -> Bool
    ) throws -> ReceivedPacket {
        var others: [ReceivedPacket] = []
        defer { setAside = others + setAside }
        while true {
            let packet = try receive(file: file, line: line)
            if isWanted(packet) { return packet }
            others.append(packet)
        }
    }

    private var hasUnread: Bool { takenCount < unread.count }
    private var leftovers: String { hasUnread ? ", with unread bytes \(unread[takenCount...].prefix(32))" : "" }

    private func takePacket() -> ReceivedPacket? {
        if !setAside.isEmpty { return setAside.removeFirst() }
        var length = 0
        for index in 1...4 {
            guard takenCount + index < unread.count else { return nil }
            let byte = unread[takenCount + index]
            length |= Int(byte & 0x7F) << (7 * (index - 1))
            guard byte < 0x80 else { continue }
            let end = takenCount + index + 1 + length
            guard unread.count >= end else { return nil }
            defer { takenCount = end }
            return ReceivedPacket(
                bytes: Array(unread[takenCount..<end]), headerCount: index + 1, version: version)
        }
        return nil
    }

    /// Reads once; false when the deadline passed. A reset counts as the end.
    private func fill(until deadline: Deadline) -> Bool {
        guard descriptor >= 0, deadline.wait(for: descriptor) else { return false }
        var buffer = [UInt8](repeating: 0, count: 65_536)
        let count = recv(descriptor, &buffer, buffer.count, 0)
        if count > 0 {
            unread.removeFirst(takenCount)
            takenCount = 0
            unread += buffer.prefix(count)
        } else if count == 0 || errno != EINTR {
            atEnd = true
        }
        return true
    }

    // MARK: expecting

    /// The next packet is these bytes.
    @discardableResult
    package func expect(
        _ bytes: [UInt8], file: StaticString = #fileID, line: UInt = #line
    ) throws -> ReceivedPacket {
        let packet = try receive(file: file, line: line)
        guard packet.bytes == bytes else {
            let wanted = ReceivedPacket(bytes: bytes, headerCount: 2, version: version)
            throw Mismatch(.unexpected, "expected \(wanted), received \(packet)", file, line)
        }
        return packet
    }

    /// The next packet is of this kind.
    @discardableResult
    package func expect(
        _ kind: ReceivedPacket.Kind, file: StaticString = #fileID, line: UInt = #line
    ) throws -> ReceivedPacket {
        let packet = try receive(file: file, line: line)
        guard packet.kind == kind else {
            throw Mismatch(.unexpected, "expected \(kind), received \(packet)", file, line)
        }
        return packet
    }

    /// The broker closes, and sends not one byte before.
    package func expectClosed(
        withinMilliseconds limit: Int? = nil, file: StaticString = #fileID, line: UInt = #line
    ) throws {
        let before = try packetsUntilClosed(withinMilliseconds: limit, file: file, line: line)
        guard before.isEmpty, !hasUnread else {
            throw Mismatch(.unexpected, "expected a close, received \(before)\(leftovers) first", file, line)
        }
    }

    /// What came before the broker closed. Throws when it does not close in time.
    @discardableResult
    package func packetsUntilClosed(
        withinMilliseconds limit: Int? = nil, file: StaticString = #fileID, line: UInt = #line
    ) throws -> [ReceivedPacket] {
        let deadline = Deadline(milliseconds: limit ?? deadlineMilliseconds)
        var packets: [ReceivedPacket] = []
        while !atEnd {
            while let packet = takePacket() { packets.append(packet) }
            guard fill(until: deadline) else {
                throw Mismatch(.timedOut, "the connection stays open; received \(packets)\(leftovers)", file, line)
            }
        }
        while let packet = takePacket() { packets.append(packet) }
        return packets
    }

    /// Nothing comes, and the connection stays open, for this long. Prefer `barrier()`, which waits for an answer
    /// instead of a clock.
    package func expectNothing(
        forMilliseconds limit: Int, file: StaticString = #fileID, line: UInt = #line
    ) throws {
        do {
            let packet = try receive(withinMilliseconds: limit, file: file, line: line)
            throw Mismatch(.unexpected, "expected nothing, received \(packet)", file, line)
        } catch let mismatch as Mismatch where mismatch.reason == .timedOut {
            return
        }
    }

    /// Sends PINGREQ and returns every packet that came before its PINGRESP.
    @discardableResult
    package func barrier(file: StaticString = #fileID, line: UInt = #line) throws -> [ReceivedPacket] {
        send(Wire.pingreq)
        var packets: [ReceivedPacket] = []
        while true {
            let packet = try receive(file: file, line: line)
            if packet.kind == .pingresp { return packets }
            packets.append(packet)
        }
    }

    /// Exactly `count` packets come: waits for each of them, and then for the answer to a PINGREQ. Better than `barrier`
    /// where something must come, for a broker may well answer PINGREQ first.
    package func packets(
        _ count: Int, file: StaticString = #fileID, line: UInt = #line
    ) throws -> [ReceivedPacket] {
        var packets: [ReceivedPacket] = []
        for _ in 0..<count { packets.append(try receive(file: file, line: line)) }
        let surplus = try barrier(file: file, line: line)
        guard surplus.isEmpty else {
            throw Mismatch(.unexpected, "expected no more than \(packets), received \(surplus)", file, line)
        }
        return packets
    }

    /// The connection is open and nothing is waiting to be read.
    package func expectQuiet(file: StaticString = #fileID, line: UInt = #line) throws {
        let packets = try barrier(file: file, line: line)
        guard packets.isEmpty else {
            throw Mismatch(.unexpected, "expected nothing, received \(packets)", file, line)
        }
    }
}
