import BrokerConfiguration
import Testing

@Suite("What a file that was read again wants different")
struct ChangeTests {
    private func difference(_ old: String, _ new: String) throws -> ConfigurationChange {
        ConfigurationChange(from: try parsed(old), to: try parsed(new))
    }

    @Test("a key that changes the configuration changes exactly what it is about", arguments: KeyCase.all)
    func everyKey(_ one: KeyCase) throws {
        // Without the key the lines above it may not stand.
        guard one.before != nil, let value = one.valid.last else { return }
        let old = try parsed(one.above)
        let new = try parsed("\(one.above)\(one.key) \(value)\n")
        let change = ConfigurationChange(from: old, to: new)
        #expect(change.isEmpty == (old == new), "\(one.key)")
        let keys = change.applicable + change.needsRestart
        let row = try #require(ConfigurationKey.all.first { $0.name == one.key })
        guard !change.isEmpty, row.scope == .broker, row.group != .plugins, row.group != .bridges,
            row.group != .listeners
        else { return }
        #expect(keys == [one.key])
    }

    @Test("listeners come, go and change")
    func listeners() throws {
        let change = try difference(
            "listener 1\nlistener 2\nlistener 3\n", "listener 2\nmax_connections 5\nlistener 3\nlistener 4 ::1\n")
        #expect(change.listenersRemoved.map(\.port) == [1])
        #expect(change.listenersAdded.map(\.port) == [4])
        #expect(change.listenersChanged.map(\.new.port) == [2])
        #expect(change.listenersChanged.allSatisfy { !$0.speaksOtherwise })
        #expect(
            change.text
                == "added: port 4 on ::1; removed: port 1 on every interface; other rules: port 2 on every interface")
    }

    @Test("where something else is spoken, connections cannot stay")
    func speaksOtherwise() throws {
        for line in ["protocol websockets", "enable_proxy_protocol 1", "certfile /c\nkeyfile /k"] {
            #expect(
                try difference("listener 1\n", "listener 1\n\(line)\n").listenersChanged.map(\.speaksOtherwise) == [
                    true
                ])
        }
        let tls = "listener 1\nkeyfile /k\ncertfile"
        #expect(try difference("\(tls) /a\n", "\(tls) /b\n").listenersChanged.map(\.speaksOtherwise) == [false])
    }

    @Test(
        "where clients would be somebody else, or their topics others, they cannot stay",
        arguments: [
            ("", "mount_point m/", false), ("mount_point m/", "", false),
            ("use_username_as_clientid true", "", false), ("", "max_connections 5", true), ("", "max_qos 1", true),
            ("", "websockets_origin a", false), ("websockets_origin a", "", true),
            ("websockets_origin a", "websockets_origin a\nwebsockets_origin b", true),
            ("websockets_origin a", "websockets_origin b", false),
        ])
    func meansOtherwise(_ old: String, _ new: String, _ keepsClients: Bool) throws {
        let above = "listener 1\nprotocol websockets\n"
        let change = try difference(above + old + "\n", above + new + "\n")
        #expect(change.listenersChanged.map(\.keepsClients) == [keepsClients])
    }

    @Test("lines that move or change their form change nothing")
    func sameMeaning() throws {
        let change = try difference(
            "listener 1\nsys_interval 10\n", "# new\nlistener 0x1\n\nmax_queued_messages 1000\n")
        #expect(change.isEmpty)
        #expect(change.text == nil)
    }

    @Test("what waits for the next start is said")
    func restart() throws {
        let change = try difference("event_loops 1\nsys_interval 3\n", "event_loops 2\nsys_interval 4\n")
        #expect(change.needsRestart == ["event_loops"])
        #expect(change.applicable == ["sys_interval"])
        #expect(change.text == "changed: sys_interval")
        let applied = ConfigurationChange.applicable(
            of: try parsed("event_loops 2\nsys_interval 4\n"), to: try parsed("event_loops 1\nsys_interval 3\n"))
        #expect(applied.eventLoopCount == 1)
        #expect(applied.sysIntervalSeconds == 4)
    }
}
