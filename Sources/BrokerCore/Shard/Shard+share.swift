import MQTTProtocol

/// A QoS 2 message as the persistent session that sent it knows it.
package struct Exchange: Hashable, Sendable {
    package struct Key: Hashable, Sendable {
        var queue: QueueID
        var identifier: UInt16
    }

    var key: Key
    /// It came with DUP: it may have come before the server last stopped.
    var isRepeated: Bool
}

/// A QoS 2 message that several shards keep, each in a batch of its own. The publisher's identifier is kept last
/// (`Shard+received`); a crash before that makes the publisher send again, and some receivers have the message already. So each
/// batch notes whom it serves, under the publisher's identifier (`QueueChange.share`): sessions, and shared subscriptions,
/// whose member may be another next time. After a restart every shard is told of these notes, and a repetition passes over
/// whom they name. PUBREL takes them away.
extension Shard {
    /// What says which message this is, where more than one shard may have to know.
    mutating func exchange(
        _ identifier: UInt16, isRepeated: Bool, _ connection: UnsafeMutablePointer<Connection>
    ) -> Exchange? {
        guard !neighbours.isAlone || !neighbours.shares.isEmpty,
            let queue = sessions.pointer(connection.pointee.session).pointee.details?.storage?.queue
        else { return nil }
        let key = Exchange.Key(queue: queue, identifier: identifier)
        // Without DUP it is another message than any before. [5.0 MQTT-3.3.1-1] [3.1.1 MQTT-3.3.1-1]
        if !isRepeated, forgetShares(key) {
            // Its sender heard that it was refused, and a crash came before the notes were gone.
            _ = batchToken()
            storage.batch.changes.append(.released(queue, identifier: identifier))
        }
        return Exchange(key: key, isRepeated: isRepeated)
    }

    // MARK: Noting

    /// Notes in the batch that the message is kept for this session, or for the group it came by.
    mutating func noteShare(_ exchange: Exchange, _ session: UnsafeMutablePointer<Session>, group: UInt32) {
        // Alone, the identifier stands in the same batch.
        guard !neighbours.isAlone else { return }
        let part = group == 0 ? Shard.part(of: session.pointee.clientIdentifier) : Shard.part(ofGroup: group)
        storage.batch.changes.append(
            .share(exchange.key.queue, KeptShare(identifier: exchange.key.identifier, part: part)))
    }

    /// Stands for a session (FNV-1a): the same after a restart, and in a store that was exported and imported. Below 2⁶².
    private static func part(of client: MQTTString) -> UInt64 {
        var hash: UInt64 = 14_695_981_039_346_656_037
        for byte in client.bytes { hash = (hash ^ UInt64(byte)) &* 1_099_511_628_211 }
        return hash >> 2
    }

    /// Stands for a shared subscription.
    private static func part(ofGroup group: UInt32) -> UInt64 { 1 << 62 | UInt64(group) }

    // MARK: After a restart

    /// Takes up whom a session's QoS 2 messages were kept for; every shard is told of every session.
    package mutating func restoreShares(of session: RestoredSession) {
        for share in session.shares where !session.received.contains(share.identifier) {
            let key = Exchange.Key(queue: session.record.queue, identifier: share.identifier)
            neighbours.shares[key, default: []].insert(share.part)
        }
    }

    /// Whether this session got the message before the server last stopped.
    func isKept(_ exchange: Exchange, _ session: UnsafeMutablePointer<Session>) -> Bool {
        guard exchange.isRepeated, let parts = neighbours.shares[exchange.key] else { return false }
        return parts.contains(Shard.part(of: session.pointee.clientIdentifier))
    }

    /// The same for a shared subscription.
    func isKept(_ exchange: Exchange, group: MQTTString) -> Bool {
        guard exchange.isRepeated, let parts = neighbours.shares[exchange.key] else { return false }
        return parts.contains(Shard.part(ofGroup: SharedGroup.number(group)))
    }

    /// The exchange is over, or the identifier means another message now.
    @discardableResult
    mutating func forgetShares(_ key: Exchange.Key) -> Bool {
        guard neighbours.shares.removeValue(forKey: key) != nil else { return false }
        for shard in others { neighbours.say(.forget(key), to: shard) }
        return true
    }
}
