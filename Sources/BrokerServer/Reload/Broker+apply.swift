import BrokerAccess
import BrokerConfiguration
import BrokerCore
import Certificates
import Glibc
import MQTTTransport
import NIOConcurrencyHelpers
import NIOCore

/// A prepared reload takes effect. Before: `Broker.prepare`. Nothing here can be refused any more.
///
/// First every loop knows the new rules, those of new listeners among them; then the sockets follow; then those are sent
/// away who are no longer to be here; then new sockets accept. Whoever is on the way in meanwhile is measured by what holds
/// when they arrive (`ConnectionEnd.objection`, `LoginAnswer.accessNumber`).
extension Broker {
    func apply(_ prepared: PreparedReload) {
        let old = running
        let configuration = prepared.configuration
        let plan = prepared.plan
        let numbers = plan.steps.map { step in
            switch step {
            case .keep(let position): old.listeners[position].index
            case .replace(_, let number), .add(let number): number
            }
        }
        let access = prepared.access.numbered(numbers, of: plan.count, over: old.access)
        var settings = settingsByNumber(old, count: plan.count)
        for (place, number) in numbers.enumerated() {
            settings[number] = ListenerSettings(configuration.listeners[place], configuration)
        }
        let renewal = LoopRenewal(settings: ShardSettings(configuration), listeners: settings, access: access)
        var sentAway = onEveryLoop { $0.renew(renewal) }

        var next = Running(
            configuration: configuration, listeners: [], retired: old.retired.filter { !$0.isForgotten },
            numberCount: plan.count, files: prepared.access, access: access, stamps: prepared.stamps)
        for position in plan.removed {
            old.listeners[position].retire()
            old.sockets[position].close()
            next.retired.append(old.listeners[position])
        }
        var distrusted: [Listener] = []
        for (place, step) in plan.steps.enumerated() {
            let rules = configuration.listeners[place]
            let tls = prepared.snapshots[place]
            switch step {
            case .keep(let position):
                let listener = old.listeners[position]
                if listener.tls?.trust != tls?.trust { distrusted.append(listener) }
                listener.follow(rules, configuration, tls: tls)
                next.listeners.append(listener)
                next.sockets.append(old.sockets[position])
            case .replace(let position, let number):
                let listener = Listener(index: number, rules, configuration, tls: tls)
                old.sockets[position].listener = listener
                old.listeners[position].retire()
                next.retired.append(old.listeners[position])
                next.listeners.append(listener)
                next.sockets.append(old.sockets[position])
            case .add:
                if let socket = prepared.sockets[place] ?? openLate(numbers[place], rules, configuration, tls) {
                    next.listeners.append(socket.listener)
                    next.sockets.append(socket)
                }
            }
        }
        // One that could not be opened after all is tried again at the next reload.
        next.configuration.listeners = next.listeners.map(\.configuration)
        sentAway += onEveryLoop { $0.dismissRetired() }
        sentAway += judgeAgain(distrusted)
        for place in prepared.sockets.keys { prepared.sockets[place]?.startAccepting() }
        if let setup = prepared.log { log.replace(setup) }
        if configuration.sysIntervalSeconds != old.configuration.sysIntervalSeconds {
            startSys(every: configuration.sysIntervalSeconds)
        }
        state.withLockedValue { [next] in $0 = next }
        watch.withLockedValue { $0.tookUp(prepared.tlsStamps) }
        tell(prepared, sentAway)
        let news = prepared.change.listenersAdded + prepared.change.listenersChanged.map(\.new)
        warnAboutTransport(of: next.listeners.filter { news.contains($0.configuration) })
        startWatch()
    }

    private func tell(_ prepared: PreparedReload, _ sentAway: Int) {
        for warning in prepared.warnings { log.write(.warning, "Warning: \(warning)") }
        for remark in prepared.access.remarks { log.write(.warning, "Warning: \(remark)") }
        var parts: [String] = []
        if let text = prepared.change.text { parts.append(text) }
        if !prepared.files.isEmpty { parts.append("files: " + prepared.files.joined(separator: ", ")) }
        if sentAway > 0 { parts.append("clients sent away: \(sentAway)") }
        log.write(.information, "Config reloaded; \(parts.joined(separator: "; ")).")
    }

    /// The port was ours until now. That it cannot be had is all but impossible: somebody else took it within this moment.
    private func openLate(
        _ number: Int, _ rules: ListenerConfiguration, _ configuration: BrokerConfiguration, _ tls: TLSSnapshot?
    ) -> ListeningSocket? {
        do {
            let socket = try open(Listener(index: number, rules, configuration, tls: tls))
            socket.startAccepting()
            return socket
        } catch {
            log.write(.error, "Error: \(error) It is closed until the next reload.")
            return nil
        }
    }

    private func settingsByNumber(_ running: Running, count: Int) -> [ListenerSettings] {
        var nobody = ListenerSettings()
        nobody.allowsAnonymous = false
        var settings = [ListenerSettings](repeating: nobody, count: count)
        for listener in running.listeners + running.retired {
            settings[listener.index] = ListenerSettings(listener.configuration, running.configuration)
        }
        return settings
    }

    // MARK: Who has proved who they are

    /// Everybody who came in by TLS through these listeners is measured by what they trust now. Returns how many were sent
    /// away. Signatures are checked here, beside the loops, and once for each chain.
    func judgeAgain(_ listeners: [Listener]) -> Int {
        let judges = Dictionary(
            listeners.compactMap { listener in listener.tls.map { (listener.index, $0) } }, uniquingKeysWith: { $1 })
        guard !judges.isEmpty else { return 0 }
        let numbers = Set(judges.keys)
        let now = Timestamp(seconds: Int64(time(nil)))
        var count = 0
        for loop in loops {
            let guests = (try? loop.eventLoop.submit { loop.value.guests(of: numbers) }.wait()) ?? []
            var known: [Guest.Question: String?] = [:]
            let leaving = guests.compactMap { guest -> (ConnectionID, Dismissal)? in
                let question = Guest.Question(listener: guest.listener, evidence: guest.evidence)
                let objection = known[question] ?? judges[guest.listener]?.objection(to: guest.evidence, at: now)
                known[question] = .some(objection)
                return objection.map { (guest.connection, .proof($0)) }
            }
            guard !leaving.isEmpty else { continue }
            count += (try? loop.eventLoop.submit { loop.value.dismiss(leaving) }.wait()) ?? 0
        }
        return count
    }

    /// The sum of what each says. Not on an event loop; fails only where the loops have ended.
    func onEveryLoop(_ body: @escaping @Sendable (ShardLoop) -> Int) -> Int {
        let answers = loops.map { loop in loop.eventLoop.submit { body(loop.value) } }
        return answers.reduce(0) { $0 + ((try? $1.wait()) ?? 0) }
    }
}
