import BrokerCore
import MQTTProtocol
import SeededRandom
import ShardTestKit

/// The broker is lost, all shards at once, with everything in memory. What storage had done survives; of the rest, of
/// each shard a prefix: every request whole or not at all. Then another broker starts on what is left, perhaps with
/// another number of shards, and the clients come back.
extension Simulation {
    func crash() {
        crashes += 1
        model.trace("crash \(crashes) at step \(steps)")
        tearWrites()
        let before = worlds.map(\.now).max() ?? 0
        let now = before + Int64(random.chance(50) ? random.below(300) : random.below(15_000))
        for client in clients {
            client.loseBroker(hasRefusals: model.hasRefusals)
            // What a member whose session ends had is lost with it.
            if let group = client.group, client.kind == .clean { model.forgive(group: group) }
            // An abandoned connection may have been followed by the next: only this broker knows.
            if client.will?.lostAt != nil || client.will?.isKept == true { client.will?.lostAt = now }
        }
        model.crash()
        restart(at: now)
    }

    /// The writes that were under way end somewhere.
    private func tearWrites() {
        var left = worlds.map { random.below($0.storage.waiting.count + 1) }
        while left.contains(where: { $0 > 0 }) {
            let index = random.below(worlds.count)
            guard left[index] > 0 else { continue }
            left[index] -= 1
            worlds[index].write(1)
        }
    }

    private func restart(at now: Int64) {
        homeKey = random.next()
        let count = random.chance(70) ? worlds.count : 1 + random.below(3)
        makeWorlds(count, at: now)
        if count > 1 { model.hasNeighbours = true }
        let (sessions, retained) = disk.engine.restart()
        checkRecords(sessions)
        for client in clients where client.kind == .mortal {
            let record = sessions.first { $0.record.clientIdentifier == client.name }?.record
            client.endsAt = record.map {
                ($0.disconnectedAt ?? now) + Int64($0.expiryIntervalSeconds) * 1000
            }
        }
        for world in worlds {
            let own = sessions.filter {
                Shard.home(of: $0.record.clientIdentifier, count: count, key: homeKey) == world.shard.index
            }
            world.restore(own, retained)
            for session in sessions { world.restoreShares(of: session) }
        }
        // Nobody is let in, and nothing is due, before every shard has heard what the others' sessions want.
        for _ in 0..<3 {
            for world in worlds { world.tick() }
            for from in worlds.indices {
                for to in worlds.indices { while !mail[from][to].isEmpty { deliverMail(from: from, to: to) } }
            }
        }
        for world in worlds { world.advance(by: 0) }
    }

    /// What was acknowledged stands in the records.
    private func checkRecords(_ sessions: [RestoredSession]) {
        for client in clients where client.kind == .persistent && client.isKept {
            guard let session = sessions.first(where: { $0.record.clientIdentifier == client.name }) else {
                model.breach("the session of client \(client.index) was not kept")
                continue
            }
            let kept = Set(session.record.subscriptions.map { String(decoding: $0.filter, as: UTF8.self) })
            let missing = client.subscriptions.keys.filter { !kept.contains($0) }.sorted()
            if !missing.isEmpty { model.breach("subscriptions of client \(client.index) were not kept: \(missing)") }
        }
    }
}
