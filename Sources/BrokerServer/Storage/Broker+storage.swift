import BrokerConfiguration
import BrokerCore
import BrokerStore
import Glibc
import NIOCore

/// The broker's store: opened before the shards are made, read back before anyone may connect, closed when they are gone.
extension Broker {
    /// Sessions and retained messages that are handed to a loop at once.
    private static let restorePortion = 5000

    /// The store that the configuration asks for, or nil where nothing is to outlive the process.
    static func openStore(
        _ configuration: BrokerConfiguration, _ mailboxes: [Mailbox], _ log: LogWriter
    ) throws -> Store? {
        let persistence = configuration.persistence
        guard persistence.isOn else { return nil }
        // A snapshot that cannot be read stops the start: an empty store would hide what it holds.
        let snapshot = path(persistence.file, in: persistence.location)
        if let summary = try StoreImport.importMosquitto(from: snapshot, into: storePath(persistence)) {
            log.write(.notice, StoreImport.logLine(summary, from: snapshot))
        }
        let complaints = StoreComplaints(log)
        var settings = StoreSettings()
        settings.messageBytesMax = configuration.storeBytesMax
        settings.messagesMax = configuration.storeMessagesMax
        return try Store(
            path: storePath(persistence), durability: Durability(persistence.durability), settings: settings,
            shardCount: mailboxes.count, report: { complaints.tell($0) },
            answer: { shard, events in mailboxes[shard].post(.storage(events)) })
    }

    static func storePath(_ configuration: PersistenceConfiguration) -> String {
        path("martlet.db", in: configuration.location)
    }

    private static func path(_ name: String, in folder: String?) -> String {
        guard let folder else { return name }
        return folder.hasSuffix("/") ? folder + name : "\(folder)/\(name)"
    }

    /// Hands every session to the shard that is its home now, and every retained message to all shards.
    func restore(from store: Store) throws {
        var sessions = [[RestoredSession]](repeating: [], count: loops.count)
        var retained: [LoggedMessage] = []
        var counts = (sessions: 0, queued: 0, retained: 0)
        // Few: of messages that were on their way when the broker stopped.
        var sharing: [RestoredSession] = []
        var failure: (any Error)?
        func hand(_ sessions: [RestoredSession], _ retained: [LoggedMessage], to loop: NIOLoopBound<ShardLoop>) {
            do {
                try loop.eventLoop.submit { loop.value.restore(sessions, retained) }.wait()
            } catch {
                failure = error
            }
        }
        try store.restore { session in
            counts.sessions += 1
            if !session.shares.isEmpty { sharing.append(session) }
            counts.queued += session.waiting + session.inflight.count
            let home = Shard.home(of: session.record.clientIdentifier, count: loops.count, key: homeKey)
            sessions[home].append(session)
            guard sessions[home].count == Broker.restorePortion else { return }
            hand(sessions[home], [], to: loops[home])
            sessions[home] = []
        } retained: { message in
            counts.retained += 1
            retained.append(message)
            guard retained.count == Broker.restorePortion else { return }
            for loop in loops { hand([], retained, to: loop) }
            retained = []
        }
        for (loop, sessions) in zip(loops, sessions) { hand(sessions, retained, to: loop) }
        for loop in loops where !sharing.isEmpty {
            try loop.eventLoop.submit { [sharing] in loop.value.restoreShares(of: sharing) }.wait()
        }
        if let failure { throw failure }
        log.write(
            .information,
            "Store \(store.path): sessions: \(counts.sessions), queued messages: \(counts.queued), retained messages: "
                + "\(counts.retained).")
    }

    /// Makes all durable and gives the file back.
    func closeStore() {
        do throws(StoreError) { try store?.close() } catch { log.write(.error, "Error: \(error)") }
    }

    /// SIGUSR1: what `durability os` or `interval` leaves with the operating system goes to the disk now.
    package func saveStore() {
        guard let store else { return log.write(.notice, "Nothing to save: persistence is off.") }
        log.write(.information, "Saving \(store.path).")
        do throws(StoreError) { try store.sync() } catch { log.write(.error, "Error: \(error)") }
    }
}

extension Durability {
    init(_ durability: PersistenceConfiguration.Durability) {
        self =
            switch durability {
            case .sync: .sync
            case .os: .os
            case .interval(let seconds): .interval(seconds: Double(seconds))
            }
    }
}
