import MQTTTestKit
import Testing

/// Chapter 4.7: topic names, filters, and which matches which.
@Suite(.blocking) struct V50TopicTests {
    @Test(
        "[5.0 MQTT-4.7.0-1] a topic name holds no wildcard",
        arguments: ["#", "+", "a/#", "a/+", "a/+/b", "a#", "+a", "/#"])
    func noWildcardInName(topic: String) throws {
        for qos: UInt8 in 0...2 {
            let client = try RawClient.v5()
            client.send(Wire.publish(topic: topic, payload: "", qos: qos, id: 1, properties: []))
            try client.expectFault(0x81, 0x82, 0x90)
        }
    }

    /// The broker refuses a filter: by a code in SUBACK, or by hanging up. It says so either way.
    private func expectRefused(_ filter: String) throws {
        let client = try RawClient.v5()
        client.send(Wire.subscribe(id: 1, [(filter, 0)], properties: []))
        let answer = try client.receive()
        if answer.kind == .suback {
            #expect(answer.reasonCodes == [0x8F])
            try client.expectQuiet()
        } else {
            #expect(answer.kind == .disconnect && [0x81, 0x82, 0x8F].contains(answer.reasonCode), "\(answer)")
            try client.expectClosed()
        }
    }

    @Test("[5.0 MQTT-4.7.1-1] # stands alone or behind a /, and is the last character")
    func multiLevelWildcard() throws {
        for filter in ["a#", "a/#/b", "a/b#", "#a", "#/", "##", "a/##", "+#", "/#/", "#/+"] {
            try expectRefused(filter)
        }
        let base = unique("t")
        let client = try RawClient.v5()
        let publisher = try RawClient.v5()
        try client.subscribe(base + "/#", 0)
        for topic in ["", "/", "/b", "/b/c", "/b/c/d/e", "b", "b/c"] {
            try publisher.publish(base + topic, topic, qos: 1)
        }
        #expect(try client.everything(from: publisher).map(\.payloadText) == ["", "/", "/b", "/b/c", "/b/c/d/e"])
    }

    @Test("[5.0 MQTT-4.7.1-2] + fills a whole level, at any level")
    func singleLevelWildcard() throws {
        for filter in ["a+", "+a", "a/b+", "a/+b", "a/+b/c", "++", "a/++/b", "+a/b"] { try expectRefused(filter) }
        let base = unique("t")
        let filters = ["/+", "/+/b", "/+/+", "/a/+/c", "/+/+/+", "/+/#"].map { base + $0 }
        let topics = ["", "/", "/a", "/a/b", "/a/", "//b", "/a/b/c", "/x/y/z", "/a//c"]
        let wanted: [String: [String]] = [
            "/+": ["/", "/a"], "/+/b": ["/a/b", "//b"], "/+/+": ["/a/b", "/a/", "//b"],
            "/a/+/c": ["/a/b/c", "/a//c"], "/+/+/+": ["/a/b/c", "/x/y/z", "/a//c"],
            "/+/#": ["/", "/a", "/a/b", "/a/", "//b", "/a/b/c", "/x/y/z", "/a//c"],
        ]
        let publisher = try RawClient.v5()
        for filter in filters {
            let client = try RawClient.v5()
            try client.subscribe(filter, 0)
            for topic in topics { try publisher.publish(base + topic, topic, qos: 1) }
            #expect(
                try client.everything(from: publisher).map(\.payloadText)
                    == wanted[String(filter.dropFirst(base.count))], "\(filter)")
        }
    }

    @Test("[5.0 MQTT-4.7.3-1] names and filters have at least one character")
    func notEmpty() throws {
        for bytes in [
            Wire.subscribe(id: 1, [("", 0)], properties: []),
            Wire.subscribe(id: 1, [(unique("t"), 0), ("", 0)], properties: []),
            Wire.unsubscribe(id: 1, [""], properties: []),
            Wire.publish(topic: "", payload: "x", qos: 1, id: 1, properties: []),
        ] {
            let client = try RawClient.v5()
            client.send(bytes)
            try client.expectFault(0x81, 0x82, 0x8F, 0x90)
        }
        // One is enough, and a space or a slash is one.
        let client = try RawClient.v5(on: Self.own)
        let publisher = try RawClient.v5(on: Self.own)
        for topic in ["/", " ", "a"] {
            try client.subscribe(topic, 0)
            try publisher.publish(topic, "x", qos: 1)
            #expect(try client.receivePublish().topicText == topic)
        }
        // Where an alias stands for it, a topic may be empty.
        publisher.send(Wire.publish(topic: "a", payload: "1", properties: [.topicAlias(3)]))
        publisher.send(Wire.publish(topic: "", payload: "2", properties: [.topicAlias(3)]))
        for payload in ["1", "2"] {
            let packet = try client.receivePublish()
            #expect((packet.topicText, packet.payloadText) == ("a", payload))
        }
    }

    @Test("[5.0 MQTT-4.7.3-2] names and filters hold no U+0000")
    func noNull() throws {
        for text in ["\0", "a\0", "\0a", "a/\0/b"] {
            for bytes in [
                Wire.subscribe(id: 1, [(text, 0)], properties: []),
                Wire.unsubscribe(id: 1, [text], properties: []),
                Wire.publish(topic: text, payload: "x", qos: 1, id: 1, properties: []),
            ] {
                let client = try RawClient.v5()
                client.send(bytes)
                try client.expectFault(0x81)
            }
        }
    }

    @Test("[5.0 MQTT-4.7.3-3] names and filters have up to 65535 bytes")
    func longest() throws {
        let start = unique("t") + "/"
        let topic = start + String(repeating: "x", count: 65_535 - start.utf8.count)
        let client = try RawClient.v5()
        let publisher = try RawClient.v5()
        try client.subscribe(topic, 1)
        let other = try RawClient.v5()
        try other.subscribe(String(topic.dropLast()), 1)
        try publisher.publish(topic, "x", qos: 1)
        #expect(try client.receivePublish().topicText == topic)
        #expect(try other.everything(from: publisher).isEmpty)
        try client.unsubscribe(topic)
    }

    @Test("[5.0 MQTT-4.7.3-4] matching compares characters as they are")
    func noNormalization() throws {
        let base = unique("t")
        // Each differs from every other: composed and decomposed, cases, widths, look-alikes, marks without a width.
        let levels = [
            "\u{E9}", "e\u{301}", "E", "e", "\u{FEFF}e", "e\u{200D}", "\u{FF45}", "\u{430}", "a", "A", "\u{212B}",
            "\u{C5}", "A\u{30A}", " a", "a ", "\u{1F468}\u{200D}\u{1F469}", "\u{1F468}\u{1F469}",
        ]
        let publisher = try RawClient.v5()
        for level in levels {
            let client = try RawClient.v5()
            try client.subscribe("\(base)/\(level)", 0)
            for topic in levels { publisher.send(Wire.publish(topic: "\(base)/\(topic)", payload: "", properties: [])) }
            let topics = try client.everything(from: publisher).map(\.topic)
            #expect(topics == [Array("\(base)/\(level)".utf8)])
        }
    }

    // MARK: filters that begin with a wildcard

    /// Rows of filter, topic, whether they match. Topics are published as they are, so this broker is nobody else's.
    private static let rows: [(filter: String, topic: String, matches: Bool)] = [
        ("#", "a", true), ("#", "a/b", true), ("#", "/", true), ("#", "/a", true), ("#", "$a", false),
        ("#", "$a/b", false), ("#", "a/$b", true), ("+", "a", true), ("+", "a/b", false), ("+", "/", false),
        ("+", "/a", false), ("+", "$a", false), ("+/+", "/", true), ("+/+", "/a", true), ("+/+", "a/", true),
        ("/+", "/a", true), ("/+", "a", false), ("/+", "/", true), ("+/a", "/a", true), ("+/#", "a", true),
        ("+/#", "a/b", true), ("+/#", "$a/b", false), ("+/#", "/", true), ("+/b", "$a/b", false),
        ("/#", "/", true), ("/#", "/a", true), ("/#", "a", false), ("/#", "a/b", false), ("/#", "/$a", true),
        ("$a/#", "$a", true), ("$a/#", "$a/b", true), ("$a/+", "$a/b", true), ("$a/b", "$a/b", true),
        ("$a/+", "$a", false), ("a/#", "a", true), ("a/#", "a/", true), ("a/#", "ab", false), ("a/#", "A", false),
        ("a/+", "a/", true), ("a/+", "a", false), ("a/+/c", "a//c", true), ("a/+/c", "a/b/c/", false),
        ("a//c", "a//c", true), ("a//c", "a/c", false), ("a/", "a", false), ("a", "a/", false), ("/", "/", true),
        ("/", "//", false), ("//", "//", true), ("+/+/+", "//", true), ("a/b", "a/b/c", false), ("a/b/c", "a/b", false),
        ("+/$a", "x/$a", true), (" ", " ", true), ("+", " ", true), ("$a", "$a", true), ("$a", "a", false),
    ]

    private static var own: BrokerProcess {
        get throws { try .shared(BrokerProcess.anonymous + "# for topics that cannot be unique\n") }
    }

    @Test("[5.0 facts] which filter matches which topic")
    func matching() throws {
        let broker = try BrokerProcess.start()
        let publisher = try RawClient.v5(on: broker)
        for row in Self.rows {
            let client = try RawClient.v5(on: broker)
            try client.subscribe(row.filter, 0)
            try publisher.publish(row.topic, "row", qos: 1)
            // The messages that mark the end match "#" as well; only the row's own counts.
            let packets = try client.everything(from: publisher).filter { $0.payloadText == "row" }
            #expect(packets.map(\.topicText) == (row.matches ? [row.topic] : []), "\(row.filter) and \(row.topic)")
        }
    }

    @Test("[5.0 MQTT-4.7.2-1] filters that begin with a wildcard match no topic that begins with $")
    func dollarTopics() throws {
        let broker = try BrokerProcess.start()
        let publisher = try RawClient.v5(on: broker)
        for filter in ["#", "+/x", "+/#", "+/+", "+"] {
            let client = try RawClient.v5(on: broker)
            try client.subscribe(filter, 1)
            for topic in ["$t/x", "$t", "$/x", "$test/x"] {
                try publisher.publish(topic, "hidden", qos: 1, retain: true)
            }
            let late = try RawClient.v5(on: broker)
            try late.subscribe(filter, 1)
            for reader in [client, late] {
                #expect(
                    try reader.everything(from: publisher).filter { $0.payloadText == "hidden" }.isEmpty, "\(filter)")
            }
        }
        for filter in ["$t/#", "$t/+", "$t/x"] {
            let client = try RawClient.v5(on: broker)
            try client.subscribe(filter, 1)
            let kept = try client.receivePublish()
            #expect(kept.retain && kept.topicText.hasPrefix("$t"), "\(filter)")
            try publisher.publish("$t/x", "live", qos: 1)
            #expect(try client.everything(from: publisher).contains { $0.payloadText == "live" }, "\(filter)")
        }
    }

    @Test("[5.0 facts] $SYS/# is there for who asks, and # does not show it")
    func systemTopics() throws {
        let broker = try BrokerProcess.start(BrokerProcess.anonymous + "sys_interval 1\n")
        let client = try RawClient.v5(on: broker)
        try client.subscribe("#", 0)
        let watcher = try RawClient.v5(on: broker)
        watcher.send(Wire.subscribe(id: 1, [("$SYS/#", 0)], properties: []))
        try watcher.expect(.suback)
        for _ in 0..<5 { #expect(try watcher.receivePublish().topicText.hasPrefix("$SYS/")) }
        pause(milliseconds: 1_200)
        try client.expectQuiet()
    }
}
