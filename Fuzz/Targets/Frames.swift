import MQTTProtocol

/// Target `frames`: any bytes, read as any version from either side, end in a packet, a fault or "wait"; the short road
/// of the broker agrees with the full one.
@_cdecl("martlet_fuzz_frames")
package func fuzzFrames(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    let bytes = UnsafeRawBufferPointer(start: data, count: size)
    for version in ProtocolVersion.allCases {
        for sender in Sender.allCases {
            let outcome = Outcome(bytes, version, from: sender)
            guard case .packet(_, let consumed) = outcome else { continue }
            require(consumed <= size, "read beyond the end")
            checkPrefixes(bytes, consumed, version, sender)
            checkLimit(bytes, consumed, version, sender)
        }
        checkShortRoad(bytes, version)
    }
    _ = try? PublishProperties.scan(bytes)
    checkText(bytes)
    return 0
}

/// Less than a whole packet is always "wait", never a fault and never a packet.
private func checkPrefixes(
    _ bytes: UnsafeRawBufferPointer, _ whole: Int, _ version: ProtocolVersion, _ sender: Sender
) {
    for count in [0, 1, 2, 3, 4, 5, whole / 2, whole - 1] where count < whole {
        let outcome = Outcome(UnsafeRawBufferPointer(rebasing: bytes[..<count]), version, from: sender)
        require(outcome == .wait, "\(count) of \(whole) bytes gave \(outcome)")
    }
}

/// A limit is kept to the byte, before the body has come.
private func checkLimit(_ bytes: UnsafeRawBufferPointer, _ whole: Int, _ version: ProtocolVersion, _ sender: Sender) {
    let head = UnsafeRawBufferPointer(rebasing: bytes[..<min(5, whole)])
    let refused = Outcome(head, version, from: sender, maximumPacketSize: whole - 1)
    require(refused == .fault(.packetTooLarge(limitBytes: whole - 1)), "one byte too many gave \(refused)")
    guard case .packet = Outcome(bytes, version, from: sender, maximumPacketSize: whole) else {
        preconditionFailure("a packet of exactly the limit is refused")
    }
}

/// What the broker does on its hot path, against `Packet.decode`.
private func checkShortRoad(_ bytes: UnsafeRawBufferPointer, _ version: ProtocolVersion) {
    let full = Outcome(bytes, version, from: .client)
    do throws(PacketError) {
        guard let header = try FrameHeader.parse(bytes, maximumPacketSize: 1 << 28), bytes.count >= header.totalLength
        else { return }
        let body = UnsafeRawBufferPointer(rebasing: bytes[header.headerLength..<header.totalLength])
        switch header.packetType {
        case .publish: try checkPublish(body, header.flags, version, full)
        case .puback, .pubrec, .pubrel, .pubcomp:
            let (identifier, reason) = try Acknowledgement.peek(
                body, type: header.packetType, flags: header.flags, version: version)
            require(fields(of: full).map { $0 == (identifier, reason) } ?? false, "peek differs from \(full)")
        default: return
        }
    } catch {
        require(full == .fault(error) || full == .wait, "\(error) on the short road, \(full) on the full one")
    }
}

private func checkPublish(
    _ body: UnsafeRawBufferPointer, _ flags: UInt8, _ version: ProtocolVersion, _ full: Outcome
) throws(PacketError) {
    let frame = try PublishFrame.parse(body, flags: flags, version: version)
    let found = try PublishProperties.scan(frame.properties)
    var forwarded = ByteRun()
    found.appendForwarded(from: frame.properties, to: &forwarded)
    require(forwarded.count == found.forwardedSize, "forwarded properties have another size than was said")
    let again = try PublishProperties.scan(forwarded.bytes)
    require(again.topicAlias == nil && again.messageExpiryIntervalSeconds == nil, "what stays behind travels on")
    guard case .packet(.publish(let publish), _) = full else {
        let isValid = TopicSyntax.isValidName(frame.topic) || (frame.topic.isEmpty && found.topicAlias != nil)
        return require(!isValid, "a valid PUBLISH on the short road, \(full) on the full one")
    }
    require(publish.topic.bytes == Array(frame.topic), "topic")
    require(publish.payload == Array(frame.payload), "payload")
    require(publish.packetIdentifier == frame.packetIdentifier, "packet identifier")
    require((publish.qos, publish.retain) == (frame.qos, frame.retain), "flags")
    require(publish.properties.topicAlias == found.topicAlias, "topic alias")
    require(publish.properties.messageExpiryIntervalSeconds == found.messageExpiryIntervalSeconds, "message expiry")
}

private func fields(of outcome: Outcome) -> (UInt16, ReasonCode)? {
    guard case .packet(let packet, _) = outcome else { return nil }
    return switch packet {
    case .puback(let packet): (packet.packetIdentifier, packet.reasonCode)
    case .pubrec(let packet): (packet.packetIdentifier, packet.reasonCode)
    case .pubrel(let packet): (packet.packetIdentifier, packet.reasonCode)
    case .pubcomp(let packet): (packet.packetIdentifier, packet.reasonCode)
    default: nil
    }
}

/// A topic name is text without wildcards; whatever is a name is a filter too, where it is not a shared one.
private func checkText(_ bytes: UnsafeRawBufferPointer) {
    if TopicSyntax.isValidName(bytes) {
        require(UTF8Validation.isValid(bytes), "a topic that is not text")
        require(
            TopicSyntax.isValidFilter(bytes) || TopicSyntax.hasSharePrefix(bytes), "a topic that is no filter")
    }
    _ = TopicSyntax.sharedFilter(bytes)
}
