/// The kinds of chunks, as they are numbered in the file.
enum SnapshotKind: UInt32 {
    case configuration = 1, message, clientMessage, retained, subscription, client
}

/// How the fields of each kind lie. Version 4 writes one field after the other, strings behind their length. Versions 5
/// and 6 write the fields of fixed size first, as a C compiler lays them out in memory, then strings and properties;
/// such a part ends at a multiple of eight bytes, or of four where mosquitto ran on a 32-bit machine, so its size is
/// told by the chunk's length and not assumed.
extension SnapshotFields {
    mutating func chunk(_ kind: SnapshotKind, version: UInt32) throws(Failure) -> MosquittoSnapshot.Chunk {
        switch kind {
        case .configuration: return try configuration(version)
        case .message: throw failure(.chunkLength(kind: kind.rawValue, length: length))  // read by its place
        case .client: return .client(version < 5 ? try client4() : try client(version))
        case .clientMessage: return .clientMessage(version < 5 ? try clientMessage4() : try clientMessage())
        case .subscription: return .subscription(version < 5 ? try subscription4() : try subscription())
        case .retained:
            let message = try number()
            try finish()
            return .retained(message: message)
        }
    }

    mutating func message(version: UInt32) throws(Failure) -> MosquittoSnapshot.Message {
        version < 5 ? try message4() : try message()
    }

    private mutating func configuration(_ version: UInt32) throws(Failure) -> MosquittoSnapshot.Chunk {
        let isOld = version < 5
        var last = isOld ? 0 : try number()
        let wasShutDown = try byte() != 0
        let size = try byte()
        guard size == 8 else { throw failure(.messageNumberSize(size)) }
        if isOld { last = try number() } else { try skipPadding() }
        try finish()
        return .configuration(lastMessage: last, wasShutDown: wasShutDown)
    }

    /// What the compiler left empty at the end of the fixed part, at most seven bytes.
    private mutating func skipPadding(before rest: Int = 0) throws(Failure) {
        let padding = remaining - rest
        guard (0..<8).contains(padding) else { return try skip(-1) }
        try skip(padding)
    }

    private mutating func state() throws(Failure) -> MosquittoSnapshot.State {
        let number = try byte()
        guard let state = MosquittoSnapshot.State(rawValue: number) else { throw failure(.state(number)) }
        return state
    }

    private mutating func isIncoming() throws(Failure) -> Bool {
        let direction = try byte()
        guard direction <= 1 else { throw failure(.direction(direction)) }
        return direction == 0
    }

    // MARK: Versions 5 and 6

    private mutating func client(_ version: UInt32) throws(Failure) -> MosquittoSnapshot.Client {
        let expiresAt = try moment()
        let interval = try uint32()
        try skip(2)  // the packet identifier that was given last
        let identifierLength = Int(try uint16())
        var usernameLength = 0
        var port: UInt16 = 0
        if version >= 6 {
            port = try uint16()
            usernameLength = Int(try uint16())
        }
        try skipPadding(before: identifierLength + usernameLength)
        let identifier = try copy(identifierLength)
        let username = try copy(usernameLength)
        try finish()
        return .init(
            identifier: identifier, expiryInterval: interval, expiresAt: expiresAt, username: username, port: port)
    }

    private mutating func clientMessage() throws(Failure) -> MosquittoSnapshot.ClientMessage {
        let message = try number()
        let identifier = try uint16()
        let clientLength = Int(try uint16())
        let qos = try qos()
        let state = try state()
        let flags = try byte()
        let isIncoming = try isIncoming()
        let client = try copy(clientLength)
        let properties = try properties()
        return .init(
            client: client, message: message, identifier: identifier, qos: qos, retain: flags & 0xF0 != 0,
            isDuplicate: flags & 0x0F != 0, isIncoming: isIncoming, state: state,
            subscriptionIdentifiers: properties.subscriptionIdentifiers)
    }

    private mutating func message() throws(Failure) -> MosquittoSnapshot.Message {
        let id = try number()
        let expiresAt = try moment()
        let payloadLength = Int(try uint32())
        try skip(2)  // the publisher's packet identifier
        let sourceLength = Int(try uint16())
        let usernameLength = Int(try uint16())
        let topicLength = Int(try uint16())
        let port = try uint16()
        let qos = try qos()
        let retain = try byte() != 0
        let source = try copy(sourceLength)
        let username = try copy(usernameLength)
        let topic = try copy(topicLength)
        let payload = try copy(payloadLength)
        let properties = try properties()
        return .init(
            id: id, topic: topic, payload: payload, qos: qos, retain: retain, expiresAt: expiresAt, source: source,
            username: username, port: port, properties: properties.forwarded)
    }

    private mutating func subscription() throws(Failure) -> MosquittoSnapshot.Subscription {
        let identifier = try uint32()
        let clientLength = Int(try uint16())
        let filterLength = Int(try uint16())
        let qos = try qos()
        let options = try byte()
        try skipPadding(before: clientLength + filterLength)
        let client = try copy(clientLength)
        let filter = try copy(filterLength)
        try finish()
        return .init(
            client: client, filter: filter, qos: qos, noLocal: options & 4 != 0, retainAsPublished: options & 8 != 0,
            identifier: identifier)
    }

    // MARK: Version 4

    private mutating func client4() throws(Failure) -> MosquittoSnapshot.Client {
        let identifier = try prefixed()
        try skip(2)  // the packet identifier that was given last
        // When it was disconnected, in as many bytes as the machine's time had. It ends no session: 3.1.1's have no end.
        guard remaining == 8 || remaining == 4 else { throw failure(.chunkLength(kind: 6, length: length)) }
        return .init(identifier: identifier, expiryInterval: .max, expiresAt: nil, username: [], port: 0)
    }

    private mutating func clientMessage4() throws(Failure) -> MosquittoSnapshot.ClientMessage {
        let client = try prefixed()
        let message = try number()
        let identifier = try uint16()
        let qos = try qos()
        let retain = try byte() != 0
        let isIncoming = try isIncoming()
        let state = try state()
        let isDuplicate = try byte() != 0
        try finish()
        return .init(
            client: client, message: message, identifier: identifier, qos: qos, retain: retain,
            isDuplicate: isDuplicate,
            isIncoming: isIncoming, state: state, subscriptionIdentifiers: [])
    }

    private mutating func message4() throws(Failure) -> MosquittoSnapshot.Message {
        let id = try number()
        let source = try prefixed()
        let username = try prefixed()
        let port = try uint16()
        try skip(4)  // the publisher's packet identifier, and one that nobody reads
        let topic = try prefixed()
        let qos = try qos()
        let retain = try byte() != 0
        let payload = try copy(Int(try uint32()))
        try finish()
        return .init(
            id: id, topic: topic, payload: payload, qos: qos, retain: retain, expiresAt: nil, source: source,
            username: username, port: port, properties: [])
    }

    private mutating func subscription4() throws(Failure) -> MosquittoSnapshot.Subscription {
        let client = try prefixed()
        let filter = try prefixed()
        let qos = try qos()
        try finish()
        return .init(
            client: client, filter: filter, qos: qos, noLocal: false, retainAsPublished: false, identifier: 0)
    }
}
