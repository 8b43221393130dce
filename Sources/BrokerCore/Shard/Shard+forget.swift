import MQTTProtocol

/// What storage is to forget when a session ends, and the CONNACK that waits for it: "Session Present 0" may be said only
/// when no crash can bring the session before back. Its client has dropped all it knew by then; to find that session
/// again would give it QoS 2 messages twice, and take its new ones for old. [5.0 MQTT-3.2.2-2] [3.1.1 MQTT-3.2.2-1]
/// Before: `endSession`. After: `open`.
extension Shard {
    /// The session is over: its queue is void, its record goes.
    mutating func forgetSession(_ client: MQTTString, _ queue: QueueID) {
        _ = batchToken()
        storage.batch.changes.append(.dropped(queue))
        forgetRecord(client)
    }

    /// The record under this client's name goes, unless a session that began since stands there.
    mutating func forgetRecord(_ client: MQTTString) {
        guard !hasRecord(client) else { return }
        let token = storage.newToken()
        storage.forgetting[client] = token
        storage.ask(token)
        storage.await(token, .forgotten(client))
        effects.append(.storage(.remove(token, key: SessionRecord.key(client))))
    }

    /// The client has a session now whose record is kept, or on its way.
    private func hasRecord(_ client: MQTTString) -> Bool {
        clients[client].map { sessions.pointer($0).pointee.details?.storage != nil } ?? false
    }

    /// The removal of a record has been answered.
    mutating func settleForgotten(_ client: MQTTString, _ token: StorageToken, _ failure: StorageFailure?) {
        if failure != nil {
            askAgain { $0.forgotten.append(client) }
        } else if storage.forgetting[client] == token {
            storage.forgetting[client] = nil
        }
        guard failure != nil || !isForgetting(client), !hasRecord(client), let slot = clients[client] else { return }
        answerConnect(of: slot)
    }

    /// A session's record has been answered: kept, it stands in the place of all before it.
    mutating func settleRecord(_ slot: UInt32, _ failure: StorageFailure?) {
        if failure != nil {
            keepSessionLater(slot)
        } else if !storage.forgetting.isEmpty {
            storage.forgetting[sessions.pointer(slot).pointee.clientIdentifier] = nil
        }
        answerConnect(of: slot)
    }

    // MARK: CONNACK

    /// Whether storage may still hold a session of this client that has ended.
    func isForgetting(_ client: MQTTString) -> Bool {
        !storage.forgetting.isEmpty && storage.forgetting[client] != nil
    }

    /// CONNACK waits, and with it everything that the client has sent behind its CONNECT.
    mutating func answerLater(_ answer: Connack, _ connection: UnsafeMutablePointer<Connection>, _ slot: UInt32) {
        connection.pointee.phase = .answering
        extras(of: connection).connack = answer
        pause(slot)
    }

    /// Sends a CONNACK that has waited. Where storage refuses to forget, it is said all the same: the broker serves on, and
    /// asks again.
    private mutating func answerConnect(of session: UInt32) {
        let slot = sessions.pointer(session).pointee.connection
        guard slot != SlotTable<Connection>.none else { return }
        let connection = connections.pointer(slot)
        guard connection.pointee.phase == .answering, let answer = connection.pointee.extras?.connack else { return }
        connection.pointee.phase = .open
        connection.pointee.extras?.connack = nil
        connection.pointee.lastReceived = now
        send(answer, connection, slot)
        if connection.pointee.phase == .open { resume(slot) }
    }
}
