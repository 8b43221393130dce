package import MQTTClient

/// What `--explain` says of one packet: type, QoS, packet identifier, retain.
package struct PacketNote: Sendable, Hashable {
    package let direction: PacketDirection
    package let type: PacketType
    /// Nil where the type has none.
    package let packetIdentifier: UInt16?
    /// Of a PUBLISH: QoS, retain, DUP.
    package let publish: Publish?
    /// Where it says more than success.
    package let reasonCode: ReasonCode?
    /// Of SUBSCRIBE and SUBACK: asked for and granted, a number for each filter.
    package let grants: [UInt8]?

    package struct Publish: Sendable, Hashable {
        package let qos: UInt8
        package let retain: Bool
        package let isDuplicate: Bool
    }

    package init(
        _ direction: PacketDirection, _ type: PacketType, packetIdentifier: UInt16? = nil, publish: Publish? = nil,
        reasonCode: ReasonCode? = nil, grants: [UInt8]? = nil
    ) {
        self.direction = direction
        self.type = type
        self.packetIdentifier = packetIdentifier
        self.publish = publish
        self.reasonCode = reasonCode
        self.grants = grants
    }

    package init(_ direction: PacketDirection, _ packet: ControlPacket) {
        var publish: Publish?
        if let message = packet.message {
            publish = Publish(
                qos: message.qos.rawValue, retain: message.retain, isDuplicate: packet.isDuplicate)
        }
        self.init(
            direction, packet.type, packetIdentifier: packet.packetIdentifier, publish: publish,
            reasonCode: packet.reasonCode.flatMap { $0 == .success ? nil : $0 }, grants: packet.grants)
    }
}

extension PacketNote: CustomStringConvertible {
    /// `→ PUBLISH qos 2 id 3 retain 0`
    package var description: String {
        var text = (direction == .sent ? "→ " : "← ") + "\(type)"
        if let publish { text += " qos \(publish.qos)" }
        if let packetIdentifier { text += " id \(packetIdentifier)" }
        if let publish {
            text += " retain \(publish.retain ? 1 : 0)"
            if publish.isDuplicate { text += " dup 1" }
        }
        if let grants {
            text += (type == .suback ? " granted " : " qos ") + grants.map { "\($0)" }.joined(separator: ",")
        }
        if let reasonCode { text += " (\(reasonCode))" }
        return text
    }
}

/// Which packets belong to which event, from the packets as they pass. What we ask for is asked one after another, so what passes
/// meanwhile of such packets belongs to it; messages of others are told by their packet identifiers.
package struct PacketTrail: Sendable {
    /// Packets and flows that are remembered at most; older ones are forgotten.
    static let notesMax = 1_000

    private struct Flow: Sendable {
        var notes: [PacketNote]
        /// The event it belongs to; nil = not told yet, or never.
        var event: Int?
        var isDone: Bool
    }

    /// Of what we ask for, since the last answer.
    private var outgoing: [PacketNote] = []
    private var incoming: [UInt16: Flow] = [:]

    package init() {}

    /// A packet passed.
    /// - Returns: packets that belong to an event which has been told already, when they are complete.
    package mutating func observe(_ note: PacketNote) -> (event: Int, notes: [PacketNote])? {
        switch (note.type, note.direction) {
        case (.pingreq, _), (.pingresp, _), (.auth, _), (.disconnect, _): return nil
        case (.publish, .received):
            guard let id = note.packetIdentifier else { return nil }
            if incoming.count >= Self.notesMax { incoming.removeAll() }
            incoming[id] = Flow(notes: [note], event: nil, isDone: false)
            return nil
        case (.puback, .sent), (.pubrec, .sent), (.pubrel, .received), (.pubcomp, .sent):
            guard let id = note.packetIdentifier, var flow = incoming[id] else { return nil }
            flow.notes.append(note)
            flow.isDone = note.type == .puback || note.type == .pubcomp
            guard flow.isDone, let event = flow.event else {
                incoming[id] = flow
                return nil
            }
            incoming[id] = nil
            return (event, flow.notes)
        default:
            if outgoing.count >= Self.notesMax { outgoing.removeFirst(outgoing.count / 2) }
            outgoing.append(note)
            return nil
        }
    }

    /// What has passed for the request that has just been answered.
    package mutating func takeOutgoing() -> [PacketNote] {
        defer { outgoing = [] }
        return outgoing
    }

    /// The packets of a message that is being told as an event; those that follow are told when they are complete.
    /// - Parameter receipt: as the message came; at QoS 0 there is one packet and this is all of it.
    package mutating func notes(of message: Message, event: Int) -> [PacketNote] {
        let publish = PacketNote(
            .received, .publish,
            packetIdentifier: message.receipt.flatMap { $0.packetIdentifier == 0 ? nil : $0.packetIdentifier },
            publish: PacketNote.Publish(
                qos: message.qos.rawValue, retain: message.retain, isDuplicate: message.receipt?.isDuplicate ?? false))
        guard let id = publish.packetIdentifier, let flow = incoming[id] else { return [publish] }
        if flow.isDone {
            incoming[id] = nil
        } else {
            incoming[id] = Flow(notes: [], event: event, isDone: false)
        }
        return flow.notes
    }

    /// The message is not told.
    package mutating func forget(_ message: Message) {
        if let id = message.receipt?.packetIdentifier { incoming[id] = nil }
    }
}
