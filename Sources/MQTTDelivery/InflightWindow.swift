package import MQTTProtocol

/// What a message sent at QoS 1 or 2 waits for, §4.3.
public enum InflightState: UInt8, Sendable {
    case puback, pubrec, pubcomp
    /// Completed out of order; its place is kept until those before it complete.
    case done
}

/// Messages sent at QoS 1 and 2 and not yet acknowledged, in the order they were sent. It owns packet identifiers and
/// places; it knows no bytes. Identifiers are handed out in sequence and every place between the oldest and the newest
/// is kept, so an acknowledgement finds its message by subtraction.
/// Before: the session decides to send. After: the encoder writes the identifier into the packet.
public struct InflightWindow<Payload>: ~Copyable {
    public struct Entry {
        public var payload: Payload
        public var identifier: UInt16
        public var state: InflightState

        @inlinable init(payload: Payload, identifier: UInt16, state: InflightState) {
            self.payload = payload
            self.identifier = identifier
            self.state = state
        }
    }

    /// Identifiers run from 1 to 65,535.
    @usableFromInline static var identifiersMax: Int { 65_535 }

    @usableFromInline var places: UnsafeMutablePointer<Entry>?
    @usableFromInline var head = 0
    @usableFromInline var capacity = 0
    @usableFromInline var placesUsed = 0
    /// Places between the oldest unacknowledged message and the newest, completed ones included.
    @inlinable public var span: Int { placesUsed }
    @usableFromInline var unacknowledged = 0
    /// Messages not yet acknowledged.
    @inlinable public var count: Int { unacknowledged }
    @usableFromInline var lastIdentifier: UInt16 = 0

    public init() {}

    /// The owner has taken the payloads out (`removeAll`) if they need more than forgetting.
    deinit { places?.deallocate() }

    @inlinable public var isEmpty: Bool { count == 0 }

    /// Whether one more may be sent while at most `limit` are unacknowledged. A peer that never acknowledges the
    /// oldest but always the rest cannot make the window span grow past four times the limit.
    @inlinable @inline(__always)
    public func hasRoom(limit: Int) -> Bool {
        count < limit && span < Swift.min(Swift.max(limit &* 4, 64), InflightWindow.identifiersMax)
    }

    /// Opens a place for a message and returns its identifier. The caller has checked `hasRoom`.
    @inlinable @inline(__always)
    public mutating func open(_ payload: Payload, awaiting state: InflightState) -> UInt16 {
        precondition(span < InflightWindow.identifiersMax, "the caller checks for room first")
        if span == capacity { grow() }
        var identifier = lastIdentifier &+ 1
        if identifier == 0 { identifier = 1 }  // [5.0 MQTT-2.2.1-3]
        lastIdentifier = identifier
        let place = (head &+ span) & (capacity &- 1)
        (places.unsafelyUnwrapped + place).initialize(
            to: Entry(payload: payload, identifier: identifier, state: state))
        placesUsed &+= 1
        unacknowledged &+= 1
        return identifier
    }

    /// Takes up a message of an earlier connection under its old identifier. Called in the order of sending, while
    /// the window holds nothing newer. A gap in the sequence is filled with completed places.
    package mutating func restore(_ payload: Payload, identifier: PacketIdentifier, state: InflightState) {
        if span > 0 {
            while InflightWindow.successor(of: lastIdentifier) != identifier.value { _ = openDone(payload) }
        }
        lastIdentifier = identifier.value == 1 ? UInt16.max : identifier.value - 1
        _ = open(payload, awaiting: state)
    }

    /// The state of `identifier`, or nil where nothing is in flight under it.
    @inlinable @inline(__always)
    public func state(of identifier: UInt16) -> InflightState? {
        guard let place = place(of: identifier) else { return nil }
        let state = places.unsafelyUnwrapped[place].state
        return state == .done ? nil : state
    }

    /// What is in flight under `identifier`.
    @inlinable
    public func payload(of identifier: UInt16) -> Payload? {
        guard let place = place(of: identifier), places.unsafelyUnwrapped[place].state != .done else { return nil }
        return places.unsafelyUnwrapped[place].payload
    }

    /// Moves a message on, from PUBREC to PUBCOMP.
    @inlinable
    public mutating func advance(_ identifier: UInt16, to state: InflightState) {
        guard let place = place(of: identifier) else { preconditionFailure("nothing in flight under \(identifier)") }
        places.unsafelyUnwrapped[place].state = state
    }

    /// Closes the place of `identifier` and returns its payload, or nil where nothing is in flight under it.
    @inlinable @inline(__always)
    public mutating func close(_ identifier: UInt16) -> Payload? {
        guard let place = place(of: identifier) else { return nil }
        let entry = places.unsafelyUnwrapped + place
        guard entry.pointee.state != .done else { return nil }
        entry.pointee.state = .done
        unacknowledged &-= 1
        let payload = entry.pointee.payload
        while span > 0, places.unsafelyUnwrapped[head].state == .done {
            head = (head &+ 1) & (capacity &- 1)
            placesUsed &-= 1
        }
        return payload
    }

    /// Visits what is in flight, oldest first.
    public mutating func forEach(_ body: (inout Entry) -> Void) {
        for i in 0..<span {
            let entry = places.unsafelyUnwrapped + ((head + i) & (capacity - 1))
            if entry.pointee.state != .done { body(&entry.pointee) }
        }
    }

    /// Empties the window; identifiers go on where they were.
    public mutating func removeAll(_ body: (Payload) -> Void) {
        forEach { body($0.payload) }
        places?.deallocate()
        places = nil
        (head, placesUsed, unacknowledged, capacity) = (0, 0, 0, 0)
    }

    @inlinable @inline(__always)
    func place(of identifier: UInt16) -> Int? {
        guard span > 0, identifier != 0 else { return nil }
        let first = places.unsafelyUnwrapped[head].identifier
        var distance = Int(identifier) &- Int(first)
        if distance < 0 { distance &+= InflightWindow.identifiersMax }
        return distance < span ? (head &+ distance) & (capacity &- 1) : nil
    }

    @usableFromInline static func successor(of identifier: UInt16) -> UInt16 {
        identifier == UInt16.max ? 1 : identifier + 1
    }

    private mutating func openDone(_ payload: Payload) -> UInt16 {
        let identifier = open(payload, awaiting: .done)
        unacknowledged -= 1
        return identifier
    }

    @inline(never) @usableFromInline
    mutating func grow() {
        let wanted = capacity == 0 ? 4 : capacity * 2
        let larger = UnsafeMutablePointer<Entry>.allocate(capacity: wanted)
        for i in 0..<span {
            (larger + i).initialize(to: places.unsafelyUnwrapped[(head + i) & (capacity - 1)])
        }
        places?.deallocate()
        places = larger
        capacity = wanted
        head = 0
    }
}
