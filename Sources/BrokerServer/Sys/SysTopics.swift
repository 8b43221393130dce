import BrokerCore
import Glibc

/// The `$SYS` tree, as mosquitto names it: totals of all shards, and loads as moving averages. It says only what changed
/// since it last spoke.
struct SysTopics: Sendable {
    private struct Load: Sendable {
        let name: String
        let value: @Sendable (Counters) -> UInt64
        var averages: (one: Double, five: Double, fifteen: Double) = (0, 0, 0)
        var last: UInt64 = 0
    }

    private let startedAt: Int64
    private var updatedAt: Int64
    private var said: [String: String] = [:]
    private var loads: [Load] = [
        Load(name: "messages/received", value: { $0.packetsReceived }),
        Load(name: "messages/sent", value: { $0.packetsSent }),
        Load(name: "publish/dropped", value: { $0.publishesDropped }),
        Load(name: "publish/received", value: { $0.publishesReceived }),
        Load(name: "publish/sent", value: { $0.publishesSent }),
        Load(name: "bytes/received", value: { $0.bytesReceived }),
        Load(name: "bytes/sent", value: { $0.bytesSent }),
        Load(name: "sockets", value: { $0.connectionsAccepted }),
        Load(name: "connections", value: { $0.clientsConnected }),
    ]

    init(now: Int64) {
        startedAt = now
        updatedAt = now
    }

    /// Topics and payloads that changed.
    mutating func update(_ status: ShardStatus, now: Int64) -> [(topic: String, payload: String)] {
        var all = values(status, now: now)
        all += advance(status.counters, now: now)
        return all.filter { topic, payload in
            guard said[topic] != payload else { return false }
            said[topic] = payload
            return true
        }
    }

    private func values(_ status: ShardStatus, now: Int64) -> [(topic: String, payload: String)] {
        let counters = status.counters
        let disconnected = status.sessions - status.clientsConnected
        let numbers: [(String, UInt64)] = [
            ("clients/total", UInt64(status.sessions)),
            ("clients/maximum", UInt64(counters.clientsMaximum)),
            ("clients/disconnected", UInt64(max(0, disconnected))),
            ("clients/inactive", UInt64(max(0, disconnected))),
            ("clients/connected", UInt64(status.clientsConnected)),
            ("clients/active", UInt64(status.clientsConnected)),
            ("clients/expired", counters.sessionsExpired),
            ("messages/received", counters.packetsReceived),
            ("messages/sent", counters.packetsSent),
            ("messages/stored", UInt64(status.retainedMessages + status.waitingMessages)),
            ("store/messages/count", UInt64(status.retainedMessages + status.waitingMessages)),
            ("store/messages/bytes", UInt64(status.retainedBytes + status.waitingMessageBytes)),
            ("subscriptions/count", UInt64(status.subscriptions)),
            ("shared_subscriptions/count", UInt64(status.sharedSubscriptions)),
            ("retained messages/count", UInt64(status.retainedMessages)),
            ("bytes/received", counters.bytesReceived),
            ("bytes/sent", counters.bytesSent),
            ("publish/messages/received", counters.publishesReceived),
            ("publish/messages/sent", counters.publishesSent),
            ("publish/messages/dropped", counters.publishesDropped),
            ("publish/bytes/received", counters.payloadBytesReceived),
            ("publish/bytes/sent", counters.payloadBytesSent),
            ("packet/out/count", UInt64(status.outputConnections)),
            ("packet/out/bytes", UInt64(status.outputBytes)),
            ("connections/socket/count", UInt64(status.connections)),
        ]
        return [
            ("$SYS/broker/version", "martlet version \(Martlet.version)"),
            ("$SYS/broker/uptime", "\((now - startedAt) / 1000) seconds"),
        ] + numbers.map { ("$SYS/broker/\($0.0)", String($0.1)) }
    }

    /// Exponentially weighted rates per minute; said again when they moved by a hundredth.
    private mutating func advance(_ counters: Counters, now: Int64) -> [(topic: String, payload: String)] {
        let seconds = Double(now - updatedAt) / 1000
        updatedAt = now
        guard seconds > 0 else { return [] }
        var all: [(topic: String, payload: String)] = []
        for i in loads.indices {
            let value = loads[i].value(counters)
            let rate = Double(value - loads[i].last) * 60 / seconds
            loads[i].last = value
            loads[i].averages.one = SysTopics.smooth(loads[i].averages.one, rate, seconds, over: 60)
            loads[i].averages.five = SysTopics.smooth(loads[i].averages.five, rate, seconds, over: 300)
            loads[i].averages.fifteen = SysTopics.smooth(loads[i].averages.fifteen, rate, seconds, over: 900)
            let name = "$SYS/broker/load/\(loads[i].name)"
            all.append(("\(name)/1min", SysTopics.text(loads[i].averages.one)))
            all.append(("\(name)/5min", SysTopics.text(loads[i].averages.five)))
            all.append(("\(name)/15min", SysTopics.text(loads[i].averages.fifteen)))
        }
        return all
    }

    private static func smooth(_ old: Double, _ rate: Double, _ seconds: Double, over period: Double) -> Double {
        rate + exp(-seconds / period) * (old - rate)
    }

    /// Two decimals.
    private static func text(_ value: Double) -> String {
        let hundredths = Int((value * 100).rounded())
        let rest = hundredths % 100
        return "\(hundredths / 100).\(rest < 10 ? "0" : "")\(rest)"
    }
}

extension ShardStatus {
    /// Sums what shards say of themselves.
    static func + (a: ShardStatus, b: ShardStatus) -> ShardStatus {
        var sum = a
        sum.connections += b.connections
        sum.clientsConnected += b.clientsConnected
        sum.sessions += b.sessions
        sum.subscriptions += b.subscriptions
        sum.sharedSubscriptions += b.sharedSubscriptions
        sum.retainedMessages += b.retainedMessages
        sum.retainedBytes += b.retainedBytes
        sum.waitingMessages += b.waitingMessages
        sum.waitingMessageBytes += b.waitingMessageBytes
        sum.outputConnections += b.outputConnections
        sum.outputBytes += b.outputBytes
        sum.counters.packetsReceived += b.counters.packetsReceived
        sum.counters.packetsSent += b.counters.packetsSent
        sum.counters.bytesReceived += b.counters.bytesReceived
        sum.counters.bytesSent += b.counters.bytesSent
        sum.counters.publishesReceived += b.counters.publishesReceived
        sum.counters.publishesSent += b.counters.publishesSent
        sum.counters.publishesDropped += b.counters.publishesDropped
        sum.counters.payloadBytesReceived += b.counters.payloadBytesReceived
        sum.counters.payloadBytesSent += b.counters.payloadBytesSent
        sum.counters.connectionsAccepted += b.counters.connectionsAccepted
        sum.counters.clientsConnected += b.counters.clientsConnected
        sum.counters.sessionsExpired += b.counters.sessionsExpired
        sum.counters.clientsMaximum += b.counters.clientsMaximum
        return sum
    }
}
