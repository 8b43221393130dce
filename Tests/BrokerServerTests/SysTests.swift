import MQTTTestKit
import Testing

/// `$SYS`, as mosquitto names it: MOSQUITTO_COMPAT §9, the table of Docs/guides/logs-and-sys.md.
@Suite("$SYS", .blocking)
struct SysTests {
    private static let conf = BrokerProcess.anonymous + "sys_interval 1\n"

    private static let numbers = [
        "clients/total", "clients/maximum", "clients/disconnected", "clients/inactive", "clients/connected",
        "clients/active", "clients/expired", "messages/stored", "store/messages/count", "store/messages/bytes",
        "subscriptions/count", "shared_subscriptions/count", "retained messages/count", "messages/received",
        "messages/sent", "bytes/received", "bytes/sent", "publish/bytes/received", "publish/bytes/sent",
        "publish/messages/dropped", "publish/messages/received", "publish/messages/sent", "packet/out/count",
        "packet/out/bytes", "connections/socket/count",
    ]
    private static let loads = [
        "messages/received", "messages/sent", "publish/dropped", "publish/received", "publish/sent", "bytes/received",
        "bytes/sent", "sockets", "connections",
    ]

    @Test("Every topic is there within a sys_interval: numbers, loads with two decimals, version and uptime, retained")
    func allTopics() throws {
        let broker = try BrokerProcess.start(Self.conf)
        let sys = try SysReader(broker)
        let loads = Self.loads.flatMap { name in ["1min", "5min", "15min"].map { "load/\(name)/\($0)" } }
        let wanted = Set((Self.numbers + loads + ["version", "uptime"]).map { "$SYS/broker/" + $0 })
        #expect(try sys.wait { wanted.isSubset(of: $0.values.keys) }, "\(wanted.subtracting(sys.values.keys))")
        for name in Self.numbers { #expect(sys[name] != nil, "\(name): \(sys.values["$SYS/broker/" + name] ?? "")") }
        for name in loads {
            let text = try #require(sys.values["$SYS/broker/" + name])
            #expect(text.wholeMatch(of: /\d+\.\d\d/) != nil, "\(name): \(text)")
        }
        #expect(sys.values["$SYS/broker/version"]?.wholeMatch(of: /martlet version \S+/) != nil)
        #expect(sys.values["$SYS/broker/uptime"]?.wholeMatch(of: /\d+ seconds/) != nil)
        // Whoever comes later has them at once, marked as retained.
        let later = try RawClient.patient(broker)
        try later.subscribe("$SYS/broker/version", 0)
        #expect(try later.receivePublish().retain)
    }

    @Test("Wildcards at the first level do not match $SYS")
    func hiddenFromWildcards() throws {
        let broker = try BrokerProcess.start(Self.conf)
        let client = try RawClient.patient(broker)
        try client.subscribe("#", 0, id: 1)
        try client.subscribe("+/broker/uptime", 0, id: 2)
        let sys = try SysReader(broker)
        #expect(try sys.wait { ($0.said.filter { $0.topic == "$SYS/broker/uptime" }.count) >= 3 })
        try client.expectQuiet()
    }

    @Test("Published messages are counted, and their bytes")
    func counts() throws {
        let broker = try BrokerProcess.start(Self.conf)
        let sys = try SysReader(broker)
        #expect(try sys.wait { $0["publish/messages/received"] == 0 && $0["publish/bytes/received"] == 0 })
        let client = try RawClient.patient(broker)
        try client.subscribe("a", 2)
        for number in 0..<10 {
            try client.publish("b", "12345", qos: UInt8(number % 3), id: UInt16(number + 1))
        }
        #expect(try sys.wait { $0["publish/messages/received"] == 10 && $0["publish/bytes/received"] == 50 })
        client.send(Wire.publish(topic: "a", payload: "seven.."))
        #expect(try client.receivePublish().payloadText == "seven..")
        #expect(try sys.wait { $0["publish/messages/received"] == 11 && $0["publish/bytes/received"] == 57 })
        #expect(sys["publish/messages/dropped"] == 0)
        // Sent are the messages of `$SYS` itself and this one.
        #expect(try #require(sys["publish/messages/sent"]) > 10)
        #expect(try #require(sys["messages/received"]) >= 20)
    }

    @Test("Clients, subscriptions and retained messages: what is there now")
    func gauges() throws {
        let broker = try BrokerProcess.start(Self.conf)
        let sys = try SysReader(broker)
        #expect(try sys.wait { $0["clients/connected"] == 1 && $0["subscriptions/count"] == 1 })
        let client = try RawClient.patient(broker, id: "kept", cleanStart: false)
        try client.subscribe("a", 1, id: 1)
        try client.subscribe("$share/g/b", 1, id: 2)
        let member = try RawClient.patient(broker)
        try member.subscribe("$share/g/b", 1)
        try client.publish("r", "12345", qos: 1, retain: true)
        #expect(
            try sys.wait {
                $0["clients/connected"] == 3 && $0["clients/total"] == 3 && $0["clients/maximum"] == 3
                    // A shared subscription counts once a member, and only there.
                    && $0["subscriptions/count"] == 2 && $0["shared_subscriptions/count"] == 2
                    // Those of `$SYS`, and one.
                    && $0["retained messages/count"] == $0.values.count + 1
            })

        try client.publish("r", "", qos: 1, retain: true)
        try client.disconnect()
        try member.disconnect()
        #expect(
            try sys.wait {
                $0["clients/connected"] == 1 && $0["clients/disconnected"] == 1 && $0["clients/inactive"] == 1
                    && $0["shared_subscriptions/count"] == 1 && $0["clients/total"] == 2
                    && $0["retained messages/count"] == $0.values.count
            })
        #expect(sys["clients/maximum"] == 3)
    }

    @Test("A session that expires is counted")
    func expiry() throws {
        let broker = try BrokerProcess.start(Self.conf)
        let sys = try SysReader(broker)
        let client = try RawClient.patient(broker, version: 5, properties: [.sessionExpiryInterval(1)])
        try client.disconnect()
        #expect(try sys.wait { $0["clients/expired"] == 1 && $0["clients/total"] == 1 })
    }

    @Test("A value that did not change is not said again")
    func onlyChanges() throws {
        let broker = try BrokerProcess.start(Self.conf)
        let sys = try SysReader(broker)
        #expect(try sys.wait { $0.said.filter { $0.topic == "$SYS/broker/uptime" }.count >= 4 })
        let said = Dictionary(grouping: sys.said, by: \.topic)
        for topic in ["version", "clients/expired", "publish/messages/dropped", "shared_subscriptions/count"] {
            #expect(said["$SYS/broker/" + topic]?.count == 1, "\(topic)")
        }
        for (topic, messages) in said {
            for (one, next) in zip(messages, messages.dropFirst()) { #expect(one.payload != next.payload, "\(topic)") }
        }
    }

    @Test("sys_interval 0: no $SYS at all")
    func off() throws {
        let broker = try BrokerProcess.start(BrokerProcess.anonymous + "sys_interval 0\n")
        let client = try RawClient.patient(broker)
        try client.subscribe("$SYS/#", 0)
        try client.expectQuiet()
    }
}
