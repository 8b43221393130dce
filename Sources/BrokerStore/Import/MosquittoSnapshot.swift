/// What mosquitto wrote into its `mosquitto.db`: the nouns of that file, as values. The bytes of names and payloads are
/// kept as they stand; whether they are good MQTT is for the import to judge.
///
/// Before: `MosquittoSnapshotReader` takes a file apart. After: `StoreImport` puts the values into our own store.
package enum MosquittoSnapshot {
    /// The first bytes of every snapshot.
    package static let magic: [UInt8] = [0, 0xB5, 0] + Array("mosquitto db".utf8)
    /// Versions we read: 4 was written by mosquitto 1.5.6 and later, 5 by 1.6, 6 by 2.0.
    package static let versions: ClosedRange<UInt32> = 4...6

    /// A part of the file, in the order it was written: messages come before the clients that wait for them.
    package enum Chunk: Equatable, Sendable {
        case configuration(lastMessage: UInt64, wasShutDown: Bool)
        case message(MessagePlace)
        case client(Client)
        case clientMessage(ClientMessage)
        case subscription(Subscription)
        /// This message is its topic's retained one.
        case retained(message: UInt64)
        /// Of a kind that we do not know, as mosquitto too passes over.
        case unknown(kind: UInt32, length: Int)
    }

    /// Where a message lies in the file: read it with `MosquittoSnapshotReader.message(at:)` when it is its turn.
    package struct MessagePlace: Equatable, Sendable {
        package var id: UInt64
        /// Offset of the chunk's body, in bytes from the start of the file.
        package var offset: Int
        package var length: Int
        /// Seconds since 1970; nil = never.
        package var expiresAt: Int64?
    }

    /// A message, stored once.
    package struct Message: Equatable, Sendable {
        package var id: UInt64
        package var topic: [UInt8]
        package var payload: [UInt8]
        package var qos: UInt8
        package var retain: Bool
        /// Seconds since 1970; nil = never.
        package var expiresAt: Int64?
        /// Who published it; empty = the broker itself.
        package var source: [UInt8]
        /// Under which user name, and by which port; empty = none.
        package var username: [UInt8]
        package var port: UInt16
        /// Encoded properties that travel with it: those of a PUBLISH without alias and expiry.
        package var properties: [UInt8]

        package init(
            id: UInt64, topic: [UInt8], payload: [UInt8], qos: UInt8, retain: Bool, expiresAt: Int64?, source: [UInt8],
            username: [UInt8], port: UInt16, properties: [UInt8]
        ) {
            self.id = id
            self.topic = topic
            self.payload = payload
            self.qos = qos
            self.retain = retain
            self.expiresAt = expiresAt
            self.source = source
            self.username = username
            self.port = port
            self.properties = properties
        }
    }

    /// A persistent session.
    package struct Client: Equatable, Sendable {
        package var identifier: [UInt8]
        /// Seconds; the largest = never. Files of version 4 know none: never.
        package var expiryInterval: UInt32
        /// Seconds since 1970 when the session ends; nil = was connected, or never ends.
        package var expiresAt: Int64?
        /// Empty = none; only version 6 knows it.
        package var username: [UInt8]
        /// Of the listener it came by; 0 = not said.
        package var port: UInt16

        package init(
            identifier: [UInt8], expiryInterval: UInt32, expiresAt: Int64?, username: [UInt8], port: UInt16
        ) {
            self.identifier = identifier
            self.expiryInterval = expiryInterval
            self.expiresAt = expiresAt
            self.username = username
            self.port = port
        }
    }

    /// How far a message has come on its way from or to a client.
    package enum State: UInt8, Equatable, Sendable {
        case invalid, publishQoS0, publishQoS1, waitForPuback, publishQoS2, waitForPubrec, resendPubrel, waitForPubrel
        case resendPubcomp, waitForPubcomp, sendPubrec, queued
    }

    /// One session's claim on a message.
    package struct ClientMessage: Equatable, Sendable {
        package var client: [UInt8]
        package var message: UInt64
        package var identifier: UInt16
        package var qos: UInt8
        package var retain: Bool
        package var isDuplicate: Bool
        /// From the client to the broker, or the other way.
        package var isIncoming: Bool
        package var state: State
        package var subscriptionIdentifiers: [UInt32]

        package init(
            client: [UInt8], message: UInt64, identifier: UInt16, qos: UInt8, retain: Bool, isDuplicate: Bool,
            isIncoming: Bool, state: State, subscriptionIdentifiers: [UInt32]
        ) {
            self.client = client
            self.message = message
            self.identifier = identifier
            self.qos = qos
            self.retain = retain
            self.isDuplicate = isDuplicate
            self.isIncoming = isIncoming
            self.state = state
            self.subscriptionIdentifiers = subscriptionIdentifiers
        }
    }

    package struct Subscription: Equatable, Sendable {
        package var client: [UInt8]
        package var filter: [UInt8]
        package var qos: UInt8
        package var noLocal: Bool
        package var retainAsPublished: Bool
        /// 0 = none.
        package var identifier: UInt32

        package init(
            client: [UInt8], filter: [UInt8], qos: UInt8, noLocal: Bool, retainAsPublished: Bool, identifier: UInt32
        ) {
            self.client = client
            self.filter = filter
            self.qos = qos
            self.noLocal = noLocal
            self.retainAsPublished = retainAsPublished
            self.identifier = identifier
        }
    }
}

/// Why a file is no snapshot that can be read, and where.
package struct MosquittoSnapshotError: Error, Equatable, Sendable, CustomStringConvertible {
    package enum Reason: Equatable, Sendable {
        case notSnapshot
        case version(UInt32)
        /// Numbers of messages are 8 bytes long in every file we know.
        case messageNumberSize(UInt8)
        /// More bytes are promised than the file has.
        case cutShort(needed: Int, left: Int)
        /// The fields of a chunk and its length do not fit each other.
        case chunkLength(kind: UInt32, length: Int)
        case qos(UInt8)
        case state(UInt8)
        case direction(UInt8)
        case properties
        /// The system's error number.
        case unreadable(Int32)
    }

    package var reason: Reason
    /// Bytes from the start of the file.
    package var offset: Int

    package init(_ reason: Reason, at offset: Int) {
        self.reason = reason
        self.offset = offset
    }

    package var description: String {
        let what =
            switch reason {
            case .notSnapshot: "this is not a snapshot of mosquitto"
            case .version(let version): "a snapshot of version \(version); versions 4 to 6 can be read"
            case .messageNumberSize(let size): "message numbers of \(size) bytes; 8 are expected"
            case .cutShort(let needed, let left): "the file is cut short: \(needed) bytes expected, \(left) left"
            case .chunkLength(let kind, let length): "a chunk of kind \(kind) cannot be \(length) bytes long"
            case .qos(let qos): "QoS \(qos) does not exist"
            case .state(let state): "\(state) is no state of a message"
            case .direction(let direction): "\(direction) is no direction of a message"
            case .properties: "properties that MQTT 5.0 does not allow"
            case .unreadable(let number): "the file cannot be read (errno \(number))"
            }
        return "\(what), at byte \(offset)"
    }
}
