import Glibc
import MQTTTestKit
import Testing

/// The lines that people and scripts look for in mosquitto's log, in mosquitto's words. What each means is told in
/// Docs/guides/logs-and-sys.md.
@Suite("Log lines", .blocking)
struct LogLineTests {
    /// `{port}` is open; with `locked` there is a second listener that refuses anonymous clients.
    private func broker(_ extra: String = "") throws -> BrokerProcess {
        try .start(
            "listener {port} 127.0.0.1\nlistener_allow_anonymous true\nlog_type all\nmax_packet_size 300\n" + extra)
    }

    /// The patterns stand for whole lines, without the time before them.
    private func expect(_ patterns: [String], in broker: BrokerProcess, location: SourceLocation = #_sourceLocation)
        throws
    {
        for pattern in patterns {
            #expect(try broker.logs(#"\d+: "# + pattern), "\(pattern)\n\(broker.log)", sourceLocation: location)
        }
    }

    @Test("Start: version, file, sockets, running; stop: terminating")
    func startAndStop() throws {
        let broker = try broker()
        try expect(
            [
                #"martlet version \S+ starting with /\S+/broker\.conf: port \#(broker.port) on 127\.0\.0\.1: everybody.*"#,
                #"Config loaded from /\S+/broker\.conf\."#,
                #"Opening ipv4 listen socket on port \#(broker.port)\."#, #"martlet version \S+ running"#,
            ], in: broker)
        #expect(broker.stop())
        try expect([#"martlet version \S+ terminating"#], in: broker)
    }

    @Test("A whole visit reads as it does in mosquitto's log")
    func wholeVisit() throws {
        let broker = try broker()
        let publisher = try RawClient.patient(broker)
        try publisher.publish("test/topic", String(repeating: "r", count: 26), qos: 1, retain: true)

        let client = try RawClient(broker, deadlineMilliseconds: patienceMilliseconds)
        try client.connect(id: "DSN000001", keepAlive: 10, user: "client.liot.com")
        try client.subscribe("test/topic", 0)
        try client.receivePublish()
        try client.disconnect()
        let end = #"\d+: Client DSN000001 disconnected\."#
        #expect(try broker.logs(end))
        // golden/broker_log_excerpt.txt, lines 13 to 19 of it, with times and port as patterns.
        let golden = [
            #"\d+: New client connected from 127\.0\.0\.1:\d+ as DSN000001 \(p2, c1, k10, u'client\.liot\.com'\)\."#,
            #"\d+: Sending CONNACK to DSN000001 \(0, 0\)"#,
            #"\d+: Received SUBSCRIBE from DSN000001"#,
            #"\d+: DSN000001 0 test/topic"#,
            #"\d+: Sending SUBACK to DSN000001"#,
            #"\d+: Sending PUBLISH to DSN000001 \(d0, q0, r1, m0, 'test/topic', \.\.\. \(26 bytes\)\)"#,
            #"\d+: Received DISCONNECT from DSN000001"#,
            end,
        ]
        let lines = try broker.logLines(".*DSN000001.*")
        #expect(lines.count == golden.count, "\(lines)")
        for (line, pattern) in zip(lines, golden) {
            #expect(try Regex(pattern).wholeMatch(in: line) != nil, "\(line)")
        }
        try expect(
            [#"New connection from 127\.0\.0\.1:\d+ on port \#(broker.port)\."#, #"\ttest/topic \(QoS 0\)"#], in: broker
        )
    }

    @Test("The connection line says version, clean start, keep-alive and, where there is one, the user")
    func connectionLine() throws {
        let broker = try broker()
        let cases: [(id: String, version: UInt8, isClean: Bool, keepAlive: UInt16, user: String?, tail: String)] = [
            ("old", 3, true, 0, nil, "p1, c1, k0"),
            ("kept", 4, false, 60, nil, "p2, c0, k60"),
            ("new", 5, true, 65_535, "ü", "p5, c1, k65535, u'ü'"),
        ]
        for one in cases {
            let client = try RawClient(broker, version: one.version, deadlineMilliseconds: patienceMilliseconds)
            try client.connect(
                id: one.id, version: one.version, cleanStart: one.isClean, keepAlive: one.keepAlive, user: one.user)
            try expect(
                [#"New client connected from 127\.0\.0\.1:\d+ as \#(one.id) \(\#(one.tail)\)\."#], in: broker)
        }
    }

    @Test("Every packet of QoS 0, 1 and 2 has its line, both ways")
    func packets() throws {
        let broker = try broker()
        let subscriber = try RawClient.patient(broker, id: "sub")
        try subscriber.subscribe("a/+", 2)
        let publisher = try RawClient.patient(broker, id: "pub")
        for qos in UInt8(0)...2 {
            try publisher.publish("a/b", "hello", qos: qos, id: UInt16(qos) + 10)
            try subscriber.receivePublish()
        }
        try subscriber.unsubscribe("a/+")
        try subscriber.expectQuiet()
        try expect(
            [
                #"Received PUBLISH from pub \(d0, q0, r0, m0, 'a/b', \.\.\. \(5 bytes\)\)"#,
                #"Sending PUBLISH to sub \(d0, q0, r0, m0, 'a/b', \.\.\. \(5 bytes\)\)"#,
                #"Received PUBLISH from pub \(d0, q1, r0, m11, 'a/b', \.\.\. \(5 bytes\)\)"#,
                #"Sending PUBLISH to sub \(d0, q1, r0, m1, 'a/b', \.\.\. \(5 bytes\)\)"#,
                #"Sending PUBACK to pub \(m11, rc0\)"#, #"Received PUBACK from sub \(Mid: 1, RC:0\)"#,
                #"Received PUBLISH from pub \(d0, q2, r0, m12, 'a/b', \.\.\. \(5 bytes\)\)"#,
                #"Sending PUBREC to pub \(m12, rc0\)"#, #"Received PUBREL from pub \(Mid: 12\)"#,
                #"Sending PUBCOMP to pub \(m12\)"#, #"Received PUBREC from sub \(Mid: \d\)"#,
                #"Sending PUBREL to sub \(m\d\)"#, #"Received PUBCOMP from sub \(Mid: \d, RC:0\)"#,
                #"Received UNSUBSCRIBE from sub"#, #"\ta/\+"#, #"sub a/\+"#, #"Sending UNSUBACK to sub"#,
                #"Received PINGREQ from sub"#, #"Sending PINGRESP to sub"#,
            ], in: broker)
    }

    @Test("A will is announced with its size and topic; none is said too")
    func will() throws {
        let broker = try broker()
        let text = String(repeating: "w", count: 31)
        _ = try RawClient.patient(broker, id: "w", will: Wire.Will(topic: "gone/w", payload: text, qos: 2))
        try expect([#"Will message specified \(31 bytes\) \(r0, q2\)\."#, #"\tgone/w"#], in: broker)
        _ = try RawClient.patient(broker, id: "n")
        try expect(["No will message specified\\."], in: broker)
    }

    @Test("How a connection ended")
    func ends() throws {
        let broker = try broker("connect_timeout 3\n")
        try RawClient.patient(broker, id: "polite").disconnect()
        try expect([#"Received DISCONNECT from polite"#, #"Client polite disconnected\."#], in: broker)

        try RawClient.patient(broker, id: "cut").close()
        try RawClient.patient(broker, id: "torn").reset()
        try expect([#"Client cut closed its connection\."#, #"Client torn closed its connection\."#], in: broker)

        let silent = try RawClient(broker, deadlineMilliseconds: patienceMilliseconds)
        try silent.connect(id: "silent", keepAlive: 1)
        try silent.expectClosed()
        try expect([#"Client silent has exceeded timeout, disconnecting\."#], in: broker)

        let first = try RawClient.patient(broker, id: "twin")
        let second = try RawClient.patient(broker, id: "twin")
        try first.expectClosed()
        try second.expectQuiet()
        try expect([#"Client twin already connected, closing old connection\."#], in: broker)

        let mute = try RawClient(broker, deadlineMilliseconds: patienceMilliseconds)
        try mute.expectClosed()
        try expect([#"Client <unknown> has exceeded timeout, disconnecting.*\."#], in: broker)
    }

    @Test("What a client did wrong")
    func faults() throws {
        let broker = try broker()
        let faults: [(id: String, bytes: [UInt8], what: String)] = [
            ("malformed", [0x36, 0x05, 0, 1, 0x61, 0, 1], "malformed packet"),
            ("twice", Wire.connect(id: "twice"), "protocol error"),
            ("huge", Wire.publish(topic: "a", payload: String(repeating: "x", count: 400)), "oversize packet"),
        ]
        for fault in faults {
            let client = try RawClient.patient(broker, id: fault.id)
            client.send(fault.bytes)
            try client.expectClosed()
            try expect([#"Client \#(fault.id) disconnected due to \#(fault.what)(: .+)?\."#], in: broker)
        }
        let stranger = try RawClient(broker, deadlineMilliseconds: patienceMilliseconds)
        stranger.send(Wire.pingreq)
        try stranger.expectClosed()
        try expect([#"Client <unknown> disconnected due to protocol error\."#], in: broker)
    }

    @Test("A refused client: CONNACK to its address, and why")
    func refused() throws {
        let broker = try BrokerProcess.start("listener {port} 127.0.0.1\nlog_type all\n")
        for (version, code) in [(UInt8(4), 5), (5, 135)] {
            let client = try RawClient(broker, version: version, deadlineMilliseconds: patienceMilliseconds)
            client.send(Wire.connect(id: "who", version: version))
            try client.packetsUntilClosed()
            try expect([#"Sending CONNACK to 127\.0\.0\.1 \(0, \#(code)\)"#], in: broker)
        }
        try expect([#"Client <unknown> disconnected, not authorised\."#], in: broker)
        #expect(!broker.log.contains("New client connected"))
    }

    @Test("A 3.1.1 client whose keep-alive is too long hears 2, which is no word for it; the log says it")
    func keepAliveTooLong() throws {
        let broker = try broker("max_keepalive 10\n")
        for seconds in [UInt16(11), 0] {
            let client = try RawClient(broker, deadlineMilliseconds: patienceMilliseconds)
            client.send(Wire.connect(id: "tireless", keepAlive: seconds))
            try client.packetsUntilClosed()
            try expect(
                [#"Login of client 'tireless' refused: its keep-alive is longer than max_keepalive, .*"#], in: broker)
        }
    }

    @Test("A name cannot forge a line or speak to a terminal")
    func controlCharacters() throws {
        let broker = try broker()
        let client = try RawClient.patient(broker, id: "x\n1: Client root connected.\u{1B}[2J")
        try client.subscribe("t\n2: forged", 0)
        try client.expectQuiet()
        #expect(try broker.logs(#"\d+: New client .* as x\\u\{A\}1: Client root connected\.\\u\{1B\}\[2J \(.*"#))
        #expect(!broker.log.contains("\n1: ") && !broker.log.contains("\n2: ") && !broker.log.contains("\u{1B}"))
    }
}
