import MQTTClient
import MQTTProtocol
import Testing

/// What the standards demand of a client that subscribes.
@Suite("Client conformance: SUBSCRIBE and UNSUBSCRIBE")
struct SubscribeTests {
    private static let both = [ProtocolVersion.v311, .v5]

    private static func connected(
        _ version: ProtocolVersion = .v5, _ change: (inout Connack.Properties) -> Void = { _ in }
    ) throws -> Bench {
        var configuration = ClientConfiguration(clientIdentifier: "c", version: version)
        configuration.cleanStart = false
        if version == .v5 { configuration.sessionExpiryIntervalSeconds = 100 }
        var bench = try Bench(configuration)
        bench.connect(change)
        _ = bench.take()
        return bench
    }

    @Test(
        "[3.1.1 MQTT-3.8.1-1] [5.0 MQTT-3.8.1-1] [3.1.1 MQTT-3.10.1-1] [5.0 MQTT-3.10.1-1] [3.1.1 MQTT-3.8.3-1] [5.0 MQTT-3.8.3-1] [3.1.1 MQTT-3.10.3-1] [5.0 MQTT-3.10.3-1] [3.1.1 MQTT-2.2.2-1] [5.0 MQTT-2.1.3-1] flags 0010, filters as they are, one identifier each",
        arguments: both)
    func bytes(version: ProtocolVersion) throws {
        var bench = try Self.connected(version)
        let handle = try bench.subscribe(
            [SubscriptionFilter("a/+", qos: .atLeastOnce), SubscriptionFilter("#")], as: 1)
        let identified: [UInt8] = version == .v5 ? [2, 0x0B, 1] : []
        let body: [UInt8] = [0, 1] + identified + [0, 3, 0x61, 0x2F, 0x2B, 1, 0, 1, 0x23, 0]
        #expect(bench.wire.last == [0x82, UInt8(body.count)] + body)
        bench.receive(.suback(Suback(packetIdentifier: 1, reasonCodes: [.grantedQoS1, .grantedQoS0])))
        try bench.unsubscribe(handle, as: 2)
        let none: [UInt8] = version == .v5 ? [0] : []
        let second: [UInt8] = [0, 2] + none + [0, 3, 0x61, 0x2F, 0x2B, 0, 1, 0x23]
        #expect(bench.wire.last == [0xA2, UInt8(second.count)] + second)
        bench.receive(.unsuback(Unsuback(packetIdentifier: 2, reasonCodes: [.success, .noSubscriptionExisted])))
        guard case .unsubscribed(let result)? = bench.completed[2] else { throw ClientError.notConnected }
        #expect(result.reasonCodes == (version == .v5 ? [.success, .noSubscriptionExisted] : [.success, .success]))
        #expect(bench.session.packetIdentifiersInUse == 0)
    }

    @Test(
        "[3.1.1 MQTT-3.8.3-3] [5.0 MQTT-3.8.3-2] [3.1.1 MQTT-3.10.3-2] [5.0 MQTT-3.10.3-2] [5.0 MQTT-3.8.3-4] [3.1.1 MQTT-4.7.1-2] [3.1.1 MQTT-4.7.1-3] [5.0 MQTT-4.7.1-1] [5.0 MQTT-4.7.1-2] [5.0 MQTT-4.8.2-1] [5.0 MQTT-4.8.2-2] [3.1.1 MQTT-4.7.3-1] [5.0 MQTT-4.7.3-1] what may not be subscribed to is refused at home"
    )
    func refusedAtHome() throws {
        for text in ["", "a#", "a/#/b", "a+", "+a/b", "$share//a", "$share/g", "$share/g/", "$share/+/a", "a\0"] {
            #expect(throws: ClientError.invalidFilter(text)) { try TopicFilter(text) }
        }
        var bench = try Self.connected()
        #expect(throws: ClientError.noFilters) { try bench.subscribe([], as: 1) }
        #expect(throws: ClientError.self) {
            try bench.subscribe([SubscriptionFilter("$share/g/a", noLocal: true)], as: 1)
        }
        var old = try Self.connected(.v311)
        #expect(throws: ClientError.self) { try old.subscribe([SubscriptionFilter("a", noLocal: true)], as: 1) }
        #expect(bench.take() == [])
    }

    @Test("the server's limits on subscriptions are errors before anything is sent")
    func limits() throws {
        var bench = try Self.connected {
            $0.wildcardSubscriptionAvailable = false
            $0.sharedSubscriptionAvailable = false
            $0.subscriptionIdentifierAvailable = false
        }
        #expect(throws: ClientError.wildcardSubscriptionsNotSupported) {
            try bench.subscribe([SubscriptionFilter("a/#")], as: 1)
        }
        #expect(throws: ClientError.sharedSubscriptionsNotSupported) {
            try bench.subscribe([SubscriptionFilter("$share/g/a")], as: 2)
        }
        try bench.subscribe([SubscriptionFilter("a")], as: 3)
        #expect(bench.take().last?.subscribe?.subscriptionIdentifier == nil)
    }

    @Test("each filter has its own answer; a wrong number of them is the end", arguments: both)
    func partlyRefused(version: ProtocolVersion) throws {
        var bench = try Self.connected(version)
        let handle = try bench.subscribe([SubscriptionFilter("a"), SubscriptionFilter("b")], as: 1)
        let failure: ReasonCode = version == .v5 ? .notAuthorized : .unspecifiedError
        bench.receive(.suback(Suback(packetIdentifier: 1, reasonCodes: [.grantedQoS0, failure])))
        guard case .subscribed(let result)? = bench.completed[1] else { throw ClientError.notConnected }
        #expect(result.handle == handle)
        #expect(result.reasonCodes == [.grantedQoS0, failure])
        // The refused one is not asked for again.
        bench.lose()
        bench.connect()
        #expect(bench.take().last?.subscribe?.subscriptions.map(\.filter) == ["a"])
        bench.receive(.suback(Suback(packetIdentifier: 2, reasonCodes: [.success, .success])))
        #expect(bench.closes.count == 2)
    }

    @Test(
        "the session is gone: subscriptions are made again with their options; present: they are not", arguments: both)
    func restored(version: ProtocolVersion) throws {
        var bench = try Self.connected(version)
        try bench.subscribe([SubscriptionFilter("a", qos: .exactlyOnce), SubscriptionFilter("b")], as: 1)
        try bench.subscribe([SubscriptionFilter("c", qos: .atLeastOnce)], as: 2)
        bench.receive(.suback(Suback(packetIdentifier: 1, reasonCodes: [.grantedQoS2, .grantedQoS0])))
        bench.receive(.suback(Suback(packetIdentifier: 2, reasonCodes: [.grantedQoS1])))
        bench.lose()
        bench.connect(sessionPresent: true)
        #expect(bench.take() == [])
        bench.lose()
        bench.connect()
        let again = bench.take().compactMap(\.subscribe)
        #expect(again.flatMap { $0.subscriptions.map(\.filter) } == ["a", "b", "c"])
        #expect(again.flatMap { $0.subscriptions.map(\.qos) } == [.exactlyOnce, .atMostOnce, .atLeastOnce])
        #expect(again.map(\.subscriptionIdentifier) == (version == .v5 ? [1, 2] : [nil, nil]))
        // One is refused now: said so, and not asked for again.
        bench.receive(
            .suback(Suback(packetIdentifier: again[0].packetIdentifier, reasonCodes: [.unspecifiedError, .success])))
        #expect(bench.refusedFilters.map(\.0) == ["a"])
    }

    @Test("a CONNACK that never came leaves the session in doubt: subscriptions are made again")
    func inDoubt() throws {
        var bench = try Self.connected()
        try bench.subscribe([SubscriptionFilter("a")], as: 1)
        bench.receive(.suback(Suback(packetIdentifier: 1, reasonCodes: [.success])))
        bench.lose()
        bench.open()
        bench.lose()
        bench.connect(sessionPresent: true)
        let again = try #require(bench.take().last?.subscribe)
        #expect(again.subscriptions == [.init(filter: "a", qos: .atMostOnce, retainHandling: .sendIfNew)])
    }

    @Test("a SUBSCRIBE under way is sent again; asked for without a connection it waits", arguments: both)
    func underWay(version: ProtocolVersion) throws {
        var bench = try Bench(ClientConfiguration(clientIdentifier: "c", version: version))
        try bench.subscribe([SubscriptionFilter("a")], as: 1)
        bench.connect()
        #expect(bench.take().last?.subscribe?.packetIdentifier == 1)
        bench.lose()
        bench.connect()
        let again = try #require(bench.take().last?.subscribe)
        bench.receive(.suback(Suback(packetIdentifier: again.packetIdentifier, reasonCodes: [.success])))
        #expect(bench.completed[1] != nil)
        #expect(bench.session.packetIdentifiersInUse == 0)
    }

    @Test("messages find their subscription by identifier, else by filter", arguments: both)
    func routes(version: ProtocolVersion) throws {
        var bench = try Self.connected(version)
        let first = try bench.subscribe([SubscriptionFilter("a/#")], as: 1)
        let second = try bench.subscribe([SubscriptionFilter("a/b")], as: 2)
        func message(_ topic: MQTTString, _ identifiers: [UInt32]) -> Packet {
            var publish = Publish(topic: topic)
            if version == .v5 { publish.properties.subscriptionIdentifiers = identifiers }
            return .publish(publish)
        }
        bench.receive(message("a/b", [second.value]))
        bench.receive(message("a/b", [first.value, second.value]))
        bench.receive(message("a/c", [first.value]))
        bench.receive(message("a/c", []))
        bench.receive(message("other", []))
        // A number of an earlier process: the topic decides.
        bench.receive(message("a/c", [second.value]))
        bench.receive(message("a/c", [700]))
        let byIdentifier: [ClientAction.Route] = [
            .one(second), .several([first, second]), .one(first), .one(first), .none, .one(first), .one(first),
        ]
        var byFilter = byIdentifier
        byFilter[0] = .several([first, second])
        #expect(bench.delivered.map(\.route) == (version == .v5 ? byIdentifier : byFilter))
    }

    @Test("one filter wanted twice: both get its messages, and it is given up with the last", arguments: both)
    func wantedTwice(version: ProtocolVersion) throws {
        var bench = try Self.connected(version)
        let first = try bench.subscribe([SubscriptionFilter("a")], as: 1)
        let second = try bench.subscribe([SubscriptionFilter("a")], as: 2)
        var publish = Publish(topic: "a")
        if version == .v5 { publish.properties.subscriptionIdentifiers = [second.value] }
        bench.receive(.publish(publish))
        #expect(bench.delivered.last?.route == .several([first, second]))
        _ = bench.take()
        try bench.unsubscribe(second, as: 3)
        #expect(bench.take() == [])
        bench.receive(.publish(publish))
        #expect(bench.delivered.last?.route == .one(first))
        try bench.unsubscribe(first, as: 4)
        #expect(bench.take().map(\.type) == [.unsubscribe])
    }

    @Test("a retry under the identifier of the first try (FR-7)")
    func sameIdentifier() throws {
        var bench = try Self.connected(.v311)
        try bench.subscribe([SubscriptionFilter("a")], as: 1)
        bench.receive(.suback(Suback(packetIdentifier: 1, reasonCodes: [.unspecifiedError])))
        for request in 2...6 as ClosedRange<UInt64> {
            try bench.subscribe([SubscriptionFilter("a")], identifier: 1, as: request)
            #expect(bench.take().last?.subscribe?.packetIdentifier == 1)
            bench.receive(.suback(Suback(packetIdentifier: 1, reasonCodes: [.unspecifiedError])))
        }
        try bench.publish(Message("a", "x", qos: .atLeastOnce), as: 10)
        #expect(throws: ClientError.packetIdentifierInUse(1)) {
            try bench.subscribe([SubscriptionFilter("a")], identifier: 1, as: 11)
        }
    }

    @Test("matching (CM-18)")
    func matching() {
        let matches: [(TopicFilter, Topic)] = [
            ("a", "a"), ("a/#", "a"), ("a/#", "a/"), ("a/#", "a/b"), ("a/#", "a/b/c"), ("#", "a/b"), ("+", "a"),
            ("a/+", "a/"), ("a/+", "a/b"), ("+/+", "/"), ("/+", "/a"), ("+/b/#", "a/b"), ("$SYS/#", "$SYS/a"),
            ("$SYS/+", "$SYS/a"), ("a//b", "a//b"), ("a/+/b", "a//b"), ("$share/g/a/+", "a/b"), ("$share/g//a", "/a"),
            ("a/", "a/"), ("+/", "a/"),
        ]
        for (filter, topic) in matches { #expect(filter.matches(topic), "\(filter) and \(topic)") }
        let others: [(TopicFilter, Topic)] = [
            ("a", "b"), ("a", "a/b"), ("a/b", "a"), ("a/+", "a"), ("a/+", "a/b/c"), ("+", "a/b"), ("#", "$SYS/a"),
            ("+/a", "$SYS/a"), ("a/", "a"), ("a", "a/"), ("+", "/a"), ("a/+/c", "a/b"), ("a/b/#", "a"), ("ab", "a"),
            ("a", "ab"), ("+/", "a"), ("a/b", "a/"),
        ]
        for (filter, topic) in others { #expect(!filter.matches(topic), "\(filter) and \(topic)") }
    }
}
