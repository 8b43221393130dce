import MQTTProtocol

/// What ends a connection from our side.
enum Fault: Error, Equatable {
    /// The bytes, or their order, break the standard.
    case malformed(PacketError)
    /// A rule with a code of its own.
    case refused(ReasonCode)
    /// Not the peer's: the packet is taken again when there is room for it.
    case noRoom

    var reasonCode: ReasonCode {
        switch self {
        case .malformed(let error): error.reasonCode
        case .refused(let code): code
        case .noRoom: .quotaExceeded
        }
    }
}

extension Shard {
    /// How far `receive` got.
    package enum Receipt: Equatable, Sendable {
        /// Everything whole has been taken; the rest waits for more bytes.
        case wantsMore
        /// Much has been written: flush, then call again with the rest.
        case wantsFlush
        /// Reading is paused; keep the rest until `resumeReading`.
        case isPaused
        /// The connection is to be closed; drop the rest.
        case isClosing
    }

    /// A connection was accepted on listener number `listener`. Until `closed`, its name is good.
    package mutating func accepted(listener: Int, at now: Int64) -> ConnectionID {
        self.now = now
        let generation = nextGeneration()
        var connection = Connection(generation: generation, listener: listener, at: now)
        connection.packetSizeMax = settings.packetSizeMax == 0 ? Int.max : settings.packetSizeMax
        let slot = connections.insert(connection)
        counters.connectionsAccepted &+= 1
        let id = ConnectionID(slot: slot, generation: generation)
        schedule(.connectTimeout, id.slot, id.generation, at: now + settings.connectTimeout)
        return id
    }

    /// How many bytes the packet at the start of `bytes` still lacks: at least 1 while its length is not known, 0 when it
    /// is whole or cannot be read.
    package static func missingBytes(of bytes: UnsafeRawBufferPointer) -> Int {
        do throws(PacketError) {
            guard let header = try FrameHeader.parse(bytes, maximumPacketSize: .max) else { return 1 }
            return max(0, header.totalLength - bytes.count)
        } catch {
            return 0
        }
    }

    /// Bytes came. Takes whole packets from the front and says how many bytes they were.
    package mutating func receive(
        _ bytes: UnsafeRawBufferPointer, on id: ConnectionID, at now: Int64
    ) -> (consumed: Int, receipt: Receipt) {
        self.now = now
        guard exists(id) else { return (bytes.count, .isClosing) }
        let connection = connections.pointer(id.slot)
        let sizeMax = connection.pointee.packetSizeMax
        var consumed = 0
        do throws(Fault) {
            while true {
                if connection.pointee.phase == .closing { return (bytes.count, .isClosing) }
                if connection.pointee.pauses > 0 { return (consumed, .isPaused) }
                if outbox.wantsFlush { return (consumed, .wantsFlush) }
                let rest = UnsafeRawBufferPointer(rebasing: bytes[consumed...])
                guard let header = try frame(rest, sizeMax), header.totalLength <= rest.count else {
                    return (consumed, .wantsMore)
                }
                let whole = UnsafeRawBufferPointer(rebasing: rest[0..<header.totalLength])
                connection.pointee.lastReceived = now
                counters.packetsReceived &+= 1
                counters.bytesReceived &+= UInt64(whole.count)
                if header.type == PacketType.publish.rawValue, connection.pointee.phase == .open {
                    try receivePublish(whole, header, connection, id.slot)
                } else {
                    try receiveControl(whole, header, connection, id.slot)
                }
                consumed &+= header.totalLength
            }
        } catch {
            if case .noRoom = error { return (consumed, .isPaused) }
            fail(id.slot, error)
            return (bytes.count, .isClosing)
        }
    }

    @inline(__always)
    private func frame(_ bytes: UnsafeRawBufferPointer, _ sizeMax: Int) throws(Fault) -> FrameHeader? {
        try reading { () throws(PacketError) in try FrameHeader.parse(bytes, maximumPacketSize: sizeMax) }
    }

    /// Everything but PUBLISH.
    private mutating func receiveControl(
        _ whole: UnsafeRawBufferPointer, _ header: FrameHeader, _ connection: UnsafeMutablePointer<Connection>,
        _ slot: UInt32
    ) throws(Fault) {
        let body = UnsafeRawBufferPointer(rebasing: whole[header.headerLength...])
        let type = header.packetType
        guard connection.pointee.phase == .open else {
            // [5.0 MQTT-3.1.0-1] [3.1.1 MQTT-3.1.0-1]: the first packet is CONNECT.
            guard type == .connect else { throw .refused(.protocolError) }
            return try receiveConnect(body, flags: header.flags, connection, slot)
        }
        let version = connection.pointee.version
        let flags = header.flags
        switch type {
        case .puback, .pubrec, .pubrel, .pubcomp:
            let (identifier, reason) = try reading { () throws(PacketError) in
                try Acknowledgement.peek(body, type: type, flags: flags, version: version)
            }
            receiveAcknowledgement(type, identifier, reason, connection, slot)
        case .subscribe:
            let packet = try reading { () throws(PacketError) in
                try Subscribe.decode(body, flags: flags, version: version)
            }
            try receiveSubscribe(packet, connection, slot)
        case .unsubscribe:
            let packet = try reading { () throws(PacketError) in
                try Unsubscribe.decode(body, flags: flags, version: version)
            }
            try receiveUnsubscribe(packet, connection, slot)
        case .pingreq:
            try reading { () throws(PacketError) in
                try type.check(flags: flags, version: version)
                guard body.isEmpty else { throw .trailingBytes }
            }
            receivePing(connection, slot)
        case .disconnect:
            let packet = try reading { () throws(PacketError) in
                try Disconnect.decode(body, flags: flags, version: version)
            }
            try receiveDisconnect(packet, connection, slot)
        case .auth:
            try reading { () throws(PacketError) in try type.check(flags: flags, version: version) }
            // Without a method in CONNECT there is no AUTH. [5.0 MQTT-4.12.0-6]
            throw .malformed(version == .v5 ? .authenticationMethodMissing : .notInVersion(.auth))
        case .connect, .connack, .suback, .unsuback, .pingresp, .publish:
            // A second CONNECT among them: [5.0 MQTT-3.1.0-2] [3.1.1 MQTT-3.1.0-2]
            throw .malformed(.wrongDirection(type))
        }
    }

    /// Reads a packet; its faults are the peer's.
    @inline(__always)
    private func reading<T>(_ body: () throws(PacketError) -> T) throws(Fault) -> T {
        do throws(PacketError) {
            return try body()
        } catch {
            throw .malformed(error)
        }
    }

    private mutating func receivePing(_ connection: UnsafeMutablePointer<Connection>, _ slot: UInt32) {
        if let client = debugName(connection) {
            log(.debug, .received(.pingreq, client: client, identifier: 0, reason: 0))
            log(.debug, .sending(.pingresp, client: client, identifier: 0, reason: 0))
        }
        // Behind answers that wait: clients expect theirs in the order of asking.
        if connection.pointee.hasWaitingReplies {
            return queueReply(.init(type: .pingresp, identifier: 0, reason: .success), connection, slot)
        }
        sendPingresp(connection, slot)
    }

    mutating func sendPingresp(_ connection: UnsafeMutablePointer<Connection>, _ slot: UInt32) {
        let at = outbox.room(2, connection, slot)  // [5.0 MQTT-3.12.4-1] [3.1.1 MQTT-3.12.4-1]
        at.storeBytes(of: 0xD0, as: UInt8.self)
        at.storeBytes(of: 0, toByteOffset: 1, as: UInt8.self)
        counters.packetsSent &+= 1
        holdIfFull(connection, slot)
    }

    /// The client's identifier, where debug lines are wanted.
    @inline(__always)
    func debugName(_ connection: UnsafeMutablePointer<Connection>) -> MQTTString? {
        guard settings.logInterest.contains(.debug), connection.pointee.session != SlotTable<Session>.none else {
            return nil
        }
        return sessions.pointer(connection.pointee.session).pointee.clientIdentifier
    }
}
