import BrokerAccess
import BrokerCore
import Glibc
import MQTTTransport

import struct Certificates.Timestamp

/// What a reload brings to every loop. Making it and judging people by it happens elsewhere: here it only takes effect.
struct LoopRenewal: Sendable {
    var settings: ShardSettings
    /// By number.
    var listeners: [ListenerSettings]
    var access: AccessSnapshot
}

/// Somebody who has proved who they are, as far as `Broker.judgeAgain` has to know them.
struct Guest: Sendable {
    let connection: ConnectionID
    let listener: Int
    let evidence: PeerEvidence?

    /// What is asked about it: the answer is the same for all who show the same.
    struct Question: Hashable {
        let listener: Int
        let evidence: PeerEvidence?
    }
}

extension ShardLoop {
    /// Settings and access from now on. Returns how many were sent away.
    func renew(_ renewal: LoopRenewal) -> Int {
        access = renewal.access
        accessNumber += 1
        let access = access
        shard.replaceSettings(renewal.settings, at: clock.now())
        shard.replaceAccess(policy: access.policy, listeners: renewal.listeners, at: clock.now())
        let count = shard.dismiss(at: clock.now()) { listener, userName, credential in
            switch access.passwords[listener] {
            case .unchecked: return nil
            case .closed: return .userGone
            case .file(let file):
                guard let hash = file.hashes[userName] else { return .userGone }
                return hash.credential == credential ? nil : .password
            }
        }
        settle()
        return count
    }

    /// Sends away those whose listener has gone. Returns how many.
    func dismissRetired() -> Int {
        let guests = handlers.compactMap { $0 }.filter { !$0.isClosing && $0.listener.isRetired }
        return dismiss(guests.map { ($0.id, .listener) })
    }

    func dismiss(_ leaving: [(ConnectionID, Dismissal)]) -> Int {
        var count = 0
        for (id, reason) in leaving where shard.dismiss(id, reason, at: clock.now()) { count += 1 }
        settle()
        return count
    }

    /// Everybody who came in by TLS through these listeners.
    func guests(of listeners: Set<Int>) -> [Guest] {
        handlers.compactMap { end in
            guard let end, !end.isClosing, listeners.contains(end.listener.index) else { return nil }
            return Guest(connection: end.id, listener: end.listener.index, evidence: end.newcomer?.evidence)
        }
    }
}

extension ConnectionEnd {
    /// Why it may not begin, though it was accepted: the world has changed on its way through the handshake.
    var objection: Dismissal? {
        if listener.isRetired { return .listener }
        guard let judge = newcomer?.judge, let current = listener.tls, judge !== current, judge.trust != current.trust,
            let why = current.objection(to: newcomer?.evidence, at: Timestamp(seconds: Int64(time(nil))))
        else { return nil }
        return .proof(why)
    }
}
