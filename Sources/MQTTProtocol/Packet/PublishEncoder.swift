/// Writes PUBLISH packets from borrowed parts: the broker's way out, where a packet is a few copies and no values are
/// built. One description serves sizing and writing, so that the two cannot disagree.
/// Before: routing decides who gets a message, and how. After: the bytes wait in a connection's output.
package struct PublishEncoder {
    package var version: ProtocolVersion
    package var qos: UInt8
    package var retain: Bool
    package var duplicate: Bool
    /// 0 at QoS 0.
    package var packetIdentifier: UInt16
    /// 0 = none.
    package var topicAlias: UInt16
    /// The alias is known to the peer: the topic stays empty.
    package var omitsTopic: Bool
    /// Seconds left, or nil where the message does not expire.
    package var messageExpiryIntervalSeconds: UInt32?
    /// 0 = none.
    package var subscriptionIdentifier: UInt32

    package init(version: ProtocolVersion, qos: UInt8, retain: Bool, packetIdentifier: UInt16 = 0) {
        self.version = version
        self.qos = qos
        self.retain = retain
        self.packetIdentifier = packetIdentifier
        duplicate = false
        topicAlias = 0
        omitsTopic = false
        messageExpiryIntervalSeconds = nil
        subscriptionIdentifier = 0
    }

    /// The parts that are copied as they are.
    package struct Parts {
        package var topic: UnsafeRawBufferPointer
        /// Encoded properties that are passed on.
        package var properties: UnsafeRawBufferPointer
        /// Encoded Subscription Identifier properties, beyond `subscriptionIdentifier`.
        package var identifiers: UnsafeRawBufferPointer
        package var payload: UnsafeRawBufferPointer

        package init(
            topic: UnsafeRawBufferPointer, properties: UnsafeRawBufferPointer, identifiers: UnsafeRawBufferPointer,
            payload: UnsafeRawBufferPointer
        ) {
            self.topic = topic
            self.properties = properties
            self.identifiers = identifiers
            self.payload = payload
        }
    }

    /// What the lengths come to.
    package struct Layout {
        package var propertiesLength: Int
        package var remainingLength: Int
        package var totalLength: Int
        /// Where the packet identifier stands, from the packet's start. Meaningless at QoS 0.
        package var identifierOffset: Int
    }

    package func layout(_ parts: Parts) -> Layout {
        var properties = 0
        if version == .v5 {
            properties = parts.properties.count + parts.identifiers.count
            if messageExpiryIntervalSeconds != nil { properties += 5 }
            if topicAlias != 0 { properties += 3 }
            if subscriptionIdentifier != 0 {
                properties += 1 + VariableByteInteger.size(of: Int(subscriptionIdentifier))
            }
        }
        let topic = omitsTopic ? 0 : parts.topic.count
        var remaining = 2 + topic + (qos > 0 ? 2 : 0) + parts.payload.count
        if version == .v5 { remaining += VariableByteInteger.size(of: properties) + properties }
        let header = 1 + VariableByteInteger.size(of: remaining)
        return Layout(
            propertiesLength: properties, remainingLength: remaining, totalLength: header + remaining,
            identifierOffset: header + 2 + topic)
    }

    /// Writes everything before the payload to `start`, where there is room for it; returns how many bytes.
    package func writeHead(to start: UnsafeMutableRawPointer, _ parts: Parts, _ layout: Layout) -> Int {
        var at = Cursor(at: start)
        at.byte(0x30 | (duplicate ? 8 : 0) | qos << 1 | (retain ? 1 : 0))
        at.variable(layout.remainingLength)
        if omitsTopic {
            at.short(0)
        } else {
            at.short(UInt16(truncatingIfNeeded: parts.topic.count))
            at.bytes(parts.topic)
        }
        if qos > 0 { at.short(packetIdentifier) }
        if version == .v5 {
            at.variable(layout.propertiesLength)
            if let seconds = messageExpiryIntervalSeconds {
                at.byte(0x02)
                at.short(UInt16(truncatingIfNeeded: seconds >> 16))
                at.short(UInt16(truncatingIfNeeded: seconds))
            }
            if topicAlias != 0 {
                at.byte(0x23)
                at.short(topicAlias)
            }
            if subscriptionIdentifier != 0 {
                at.byte(0x0B)
                at.variable(Int(subscriptionIdentifier))
            }
            at.bytes(parts.identifiers)
            at.bytes(parts.properties)
        }
        return at.position - start
    }

    /// Writes the whole packet to `start`, where `layout.totalLength` bytes are free.
    package func write(to start: UnsafeMutableRawPointer, _ parts: Parts, _ layout: Layout) {
        let head = writeHead(to: start, parts, layout)
        if parts.payload.count > 0 {
            (start + head).copyMemory(
                from: parts.payload.baseAddress.unsafelyUnwrapped, byteCount: parts.payload.count)
        }
    }

    private struct Cursor {
        var position: UnsafeMutableRawPointer
        init(at start: UnsafeMutableRawPointer) { position = start }

        @inline(__always) mutating func byte(_ value: UInt8) {
            position.storeBytes(of: value, as: UInt8.self)
            position += 1
        }
        @inline(__always) mutating func short(_ value: UInt16) {
            position.storeBytes(of: value.bigEndian, as: UInt16.self)
            position += 2
        }
        @inline(__always) mutating func variable(_ value: Int) {
            var rest = value
            repeat {
                let low = UInt8(truncatingIfNeeded: rest & 0x7F)
                rest >>= 7
                byte(rest > 0 ? low | 0x80 : low)
            } while rest > 0
        }
        @inline(__always) mutating func bytes(_ source: UnsafeRawBufferPointer) {
            guard source.count > 0 else { return }
            position.copyMemory(from: source.baseAddress.unsafelyUnwrapped, byteCount: source.count)
            position += source.count
        }
    }
}
