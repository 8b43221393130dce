import BrokerCore
import MQTTProtocol
import SeededRandom
import ShardTestKit

/// The end: everything is mended, and everything that was promised must arrive.
extension Simulation {
    func heal() {
        if crashesPerTenThousand > 0, random.chance(50) { crash() }
        refusalPercent = 0
        for client in clients {
            for wire in client.abandoned { world(of: client).cut(wire) }
            client.abandoned = []
        }
        for world in worlds { world.advance(by: 20_000) }
        for client in clients where client.phase == .offline { settleWill(client) }
        guard settleDown() else { return model.breach("the clients do not come to rest") }
        for client in clients {
            if client.wire?.isPaused == true { model.breach("client \(client.index) is still paused") }
            if !client.outgoing.isEmpty {
                let open = client.outgoing.map { "\($0.key)" }.joined(separator: " ")
                model.breach("client \(client.index) still waits for answers to \(open)")
            }
        }
        if disk.engine.queueCount > 0 {
            model.breach("\(disk.engine.queueCount) queues still hold messages in the log")
        }
        findOpenExchanges()
        model.finish()
        model.finish(retained: findRetained())
        for world in worlds where world.flushesInVain > 0 { model.breach("the loop would have turned for ever") }
    }

    /// Every QoS 2 exchange has ended, so none may be left on the disk.
    private func findOpenExchanges() {
        var notes = 0
        for client in clients {
            guard let record = disk.engine.record(of: SessionRecord.key(client.name)) else { continue }
            let (received, sent) = disk.engine.exchanges(of: record.queue)
            if !received.isEmpty { model.breach("the disk still holds \(received) received of client \(client.index)") }
            let shared = disk.engine.shares(of: record.queue)
            // After a refusal and a crash such notes stay until the client uses the identifier again.
            if model.hasRefusals, crashes > 0 {
                notes += shared.count
            } else if !shared.isEmpty {
                model.breach("the disk still holds \(shared) shared of client \(client.index)")
            }
            if !sent.isEmpty { model.breach("the disk still holds \(sent) sent to client \(client.index)") }
        }
        if model.violations.isEmpty, disk.engine.exchangeCount > notes {
            model.breach("\(disk.engine.exchangeCount) QoS 2 exchanges are on the disk that belong to nobody")
        }
    }

    /// Rounds without loss, until a round in which nothing happens.
    private func settleDown() -> Bool {
        var quiet = 0
        for _ in 0..<20_000 {
            var hasMoved = false
            for client in clients { hasMoved = settle(client) || hasMoved }
            for world in worlds {
                if world.shard.hasBatch || world.shard.hasOutput || !world.storage.isIdle { hasMoved = true }
                world.tick()
                world.answerAll()
                world.run()
            }
            for from in worlds.indices {
                for to in worlds.indices where !mail[from][to].isEmpty {
                    hasMoved = true
                    deliverMail(from: from, to: to)
                }
            }
            quiet = hasMoved ? 0 : quiet + 1
            if quiet > 0 {
                // Deadlines of slow readers pass; they must not be needed twice.
                for world in worlds { world.advance(by: 1_500) }
            }
            if quiet > 4 { return true }
        }
        return false
    }

    private func settle(_ client: SimulatedClient) -> Bool {
        if let wire = client.wire, wire.isClosed { client.loseConnection() }
        client.idleUntil = 0
        client.clock = world(of: client).now
        if client.phase == .offline { connect(client) }
        if client.mustReconnect { leave(client) }
        guard let wire = client.wire else { return true }
        let before = client.unsent.count + client.replies.count + wire.socket.count
        if client.phase == .online { client.reply(.max) }
        let bytes = client.unsent
        client.unsent = []
        world(of: client).send(bytes, on: wire)
        world(of: client).read(on: wire)
        client.receive(&model)
        if client.keepAlive > 0, client.phase == .online, random.chance(5) { client.put(.pingreq(Pingreq())) }
        return before > 0 || !client.replies.isEmpty
    }

    /// What a new subscriber is sent.
    private func findRetained() -> [String: MessageKey] {
        let observer = SimulatedClient(index: clients.count, version: .v311, kind: .clean, group: nil, random: &random)
        clients.append(observer)
        observer.put(.connect(observer.connectPacket))
        connectObserver(observer)
        guard settleDown() else { return [:] }
        observer.retained = [:]
        observer.pending[9] = "r/#"
        observer.put(
            .subscribe(Subscribe(packetIdentifier: 9, subscriptions: [Subscription(filter: "r/#", qos: .exactlyOnce)])))
        _ = settleDown()
        return observer.retained
    }

    private func connectObserver(_ observer: SimulatedClient) {
        observer.unsent = []
        connect(observer)
    }
}
