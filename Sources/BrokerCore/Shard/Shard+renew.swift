package import MQTTProtocol

/// What an operator changes while everybody stays: settings, and who may still be here. Rights: `Shard+access`.
extension Shard {
    /// The settings from now on. What a client was told at its CONNECT (packet size, retained messages, Receive Maximum,
    /// keep-alive) holds for it until it connects again.
    package mutating func replaceSettings(_ settings: ShardSettings, at now: Int64) {
        self.now = now
        let old = self.settings
        self.settings = settings
        settingsNumber &+= 1
        scheduleSweep()
        scheduleQueueSweep()
        guard old.queueFullPolicy == .refusePublisher, settings.queueFullPolicy != .refusePublisher else { return }
        // Nobody is to wait for room any more: what there is none for is dropped, and said.
        for slot in 0..<UInt32(connections.highWater) where connections.isTaken(slot) {
            guard let extras = connections.pointer(slot).pointee.extras, extras.waitsForRoom else { continue }
            extras.waitsForRoom = false
            resume(slot)
        }
    }

    /// Sends away those who would not be let in now, and says how many. Before: `replaceAccess`.
    /// - Parameter objection: asked about user names that came with CONNECT, and what stands for the password they came
    ///   with (`authenticated`).
    package mutating func dismiss(
        at now: Int64,
        where objection: (_ listener: Int, _ userName: MQTTString, _ credential: UInt64) -> Dismissal?
    ) -> Int {
        self.now = now
        var count = 0
        for slot in 0..<UInt32(connections.highWater) where connections.isTaken(slot) {
            let connection = connections.pointer(slot)
            // Whoever has not been let in yet is measured by the new rules anyway.
            guard connection.pointee.phase == .open || connection.pointee.phase == .answering else { continue }
            let listener = listeners[connection.pointee.listener]
            let session = sessions.pointer(connection.pointee.session)
            var reason: Dismissal?
            if !listener.acceptedVersions.contains(connection.pointee.version) {
                reason = .version
            } else if !session.pointee.clientIdentifier.bytes.starts(with: listener.clientIdentifierPrefix) {
                reason = .clientIdentifierPrefix
            } else if listener.takesUserNameFromIdentity {
                continue  // certificates and pre-shared keys are the server's to judge
            } else if let userName = session.pointee.userName {
                let credential = connection.pointee.extras?.credential ?? 0
                reason = objection(connection.pointee.listener, userName, credential)
            } else if !listener.allowsAnonymous {
                reason = .anonymous
            }
            if let reason, dismiss(id(of: slot), reason, at: now) { count += 1 }
        }
        return count
    }

    /// Sends one away whose right to be here has gone; false where it has gone by itself.
    @discardableResult
    package mutating func dismiss(_ id: ConnectionID, _ reason: Dismissal, at now: Int64) -> Bool {
        guard exists(id), connections.pointer(id.slot).pointee.phase != .closing else { return false }
        disconnect(id, reason.code, .dismissed(reason), at: now)
        return true
    }
}

/// Why somebody who was let in has to go.
package enum Dismissal: Sendable, Equatable {
    /// `allow_anonymous` is false now.
    case anonymous
    /// The user is in the password file no longer.
    case userGone
    /// The user's password is another, or is asked for only now.
    case password
    /// `clientid_prefixes`
    case clientIdentifierPrefix
    /// `accept_protocol_versions`
    case version
    /// Its listener has gone, or speaks something else now.
    case listener
    /// Its certificate or pre-shared key counts no longer, and why.
    case proof(String)

    /// What a client of 5.0 hears.
    var code: ReasonCode {
        switch self {
        case .listener, .version: .administrativeAction
        default: .notAuthorized
        }
    }
}
