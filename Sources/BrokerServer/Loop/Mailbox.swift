import BrokerCore
import MQTTProtocol
import NIOConcurrencyHelpers
import NIOCore

/// What loops leave for one another, and the store for all.
enum Mail: Sendable {
    /// A neighbour's shard speaks to this one's.
    case peer(PeerBatch, from: Int)
    /// The store answers.
    case storage([StorageEvent])
    /// A login was checked.
    case login(LoginAnswer)

    // To the loop of a session, from the loop of its socket.
    case open(RelayedConnection.Key, Listener, SocketAddress?, Newcomer?)
    case input(RelayedConnection.Key, ByteBuffer)
    /// So many bytes of output have been taken from here.
    case written(RelayedConnection.Key, Int)
    case writable(RelayedConnection.Key, Bool)
    case gone(RelayedConnection.Key)

    // And back.
    case output(RelayedConnection.Key, ByteBuffer, isLast: Bool)
    /// So many bytes of input have been taken from here.
    case heard(RelayedConnection.Key, Int)
    case reading(RelayedConnection.Key, Bool)
    case end(RelayedConnection.Key)
    case known(RelayedConnection.Key)
}

/// A loop's mailbox: the only crossing between loops. One lock a post, one wake-up however much lies in it.
final class Mailbox: Sendable {
    private let eventLoop: any EventLoop
    private let letters = NIOLockedValueBox<[Mail]>([])
    private let reader: NIOLockedValueBox<NIOLoopBound<ShardLoop>?> = NIOLockedValueBox(nil)

    init(eventLoop: any EventLoop) { self.eventLoop = eventLoop }

    /// Who reads it; set once, before anyone posts.
    func setReader(_ loop: NIOLoopBound<ShardLoop>) { reader.withLockedValue { $0 = loop } }

    func post(_ mail: Mail) {
        let isFirst = letters.withLockedValue { letters in
            letters.append(mail)
            return letters.count == 1
        }
        guard isFirst else { return }
        let reader = reader.withLockedValue { $0 }
        eventLoop.execute { reader?.value.readMail() }
    }

    func take() -> [Mail] {
        letters.withLockedValue { letters in
            var taken: [Mail] = []
            swap(&taken, &letters)
            return taken
        }
    }
}
