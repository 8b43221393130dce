import BrokerConfiguration
import MQTTProtocol
import Testing

@Suite("Listeners, and who may come in")
struct ListenerTests {
    @Test("no file: loopback, anonymous, ::1 may be missing")
    func embeddedDefaults() {
        let defaults = BrokerConfiguration.embeddedDefaults
        #expect(defaults.isLocalOnly)
        #expect(defaults.listeners.map(\.host) == ["127.0.0.1", "::1"])
        #expect(defaults.listeners.map(\.port) == [1883, 1883])
        #expect(defaults.listeners.map(\.isRequired) == [true, false])
        #expect(defaults.listeners.allSatisfy { $0.security.allowsAnonymous })
        #expect(
            (defaults.inflightMessagesMax, defaults.packetBytesMax, defaults.listeners[0].topicAliasMax) == (
                20, 2_000_000, 10
            ))
    }

    @Test("a file without a listener is local too, and its options hold there")
    func localOnly() throws {
        let configuration = try parsed("max_connections 7\nmax_qos 1\nauto_id_prefix x-\n")
        #expect(configuration.isLocalOnly)
        #expect(configuration.listeners.count == 2)
        #expect(
            configuration.listeners.allSatisfy {
                $0.connectionsMax == 7 && $0.qosMax == .atLeastOnce && $0.security.autoIDPrefix == "x-"
            })
        #expect(try parsed("allow_anonymous false\n").listeners.allSatisfy { !$0.security.allowsAnonymous })
    }

    @Test(
        "any listener, port or bind_address line ends that, and anonymous is refused",
        arguments: ["listener 1883", "port 1883", "bind_address 127.0.0.1"])
    func notLocal(_ line: String) throws {
        let closed = try parsed("\(line)\n")
        #expect(!closed.isLocalOnly)
        #expect(closed.listeners.map(\.security.allowsAnonymous) == [false])
        #expect(closed.listeners.map(\.isRequired) == [true])
        #expect(try parsed("\(line)\nallow_anonymous true\n").listeners.map(\.security.allowsAnonymous) == [true])
        #expect(try parsed("allow_anonymous true\n\(line)\n").listeners.map(\.security.allowsAnonymous) == [true])
    }

    @Test("options are about the listener above")
    func scopes() throws {
        let configuration = try parsed(
            """
            allow_anonymous true
            listener 1884
            max_connections 5
            max_topic_alias 3
            listener 1885 10.0.0.1
            max_qos 0
            listener_allow_anonymous false
            listener_auto_id_prefix a-
            listener 1886
            listener_auto_id_prefix b-
            """)
        #expect(configuration.listeners.map(\.port) == [1884, 1885, 1886])
        #expect(configuration.listeners.map(\.host) == [nil, "10.0.0.1", nil])
        #expect(configuration.listeners.map(\.connectionsMax) == [5, nil, nil])
        #expect(configuration.listeners.map(\.topicAliasMax) == [3, 10, 10])
        #expect(configuration.listeners.map(\.qosMax) == [.exactlyOnce, .atMostOnce, .exactlyOnce])
        #expect(configuration.listeners.map(\.security.allowsAnonymous) == [true, false, true])
        #expect(configuration.listeners.map(\.security.autoIDPrefix) == ["auto-", "a-", "b-"])
    }

    @Test("per_listener_settings ties the security settings to the listener above")
    func perListener() throws {
        let configuration = try parsed(
            """
            per_listener_settings true
            listener 1884
            allow_anonymous true
            allow_zero_length_clientid false
            auto_id_prefix a-
            listener 1885
            """)
        #expect(configuration.listeners.map(\.security.allowsAnonymous) == [true, false])
        #expect(configuration.listeners.map(\.security.allowsEmptyClientID) == [false, true])
        #expect(configuration.listeners.map(\.security.autoIDPrefix) == ["a-", "auto-"])
    }

    @Test("per_listener_settings comes first, once, and needs listeners")
    func perListenerOrder() throws {
        #expect(problems("allow_anonymous true\nper_listener_settings true\n").map(\.line) == [2])
        #expect(problems("per_listener_settings true\nallow_anonymous true\nlistener 1\n").map(\.line) == [2])
        let kept = try parsed(
            "per_listener_settings true\nper_listener_settings false\nlistener 1\nallow_anonymous true\nlistener 2\n")
        #expect(kept.listeners.map(\.security.allowsAnonymous) == [true, false])
    }

    @Test("the default listener: port and bind_address are one, beside those with a line of their own")
    func defaultListener() throws {
        let configuration = try parsed("port 1884\nlistener 1885\nbind_address 10.0.0.1\nmax_qos 1\n")
        #expect(configuration.listeners.map(\.port) == [1884, 1885])
        #expect(configuration.listeners.map(\.host) == ["10.0.0.1", nil])
        #expect(configuration.listeners.map(\.qosMax) == [.atLeastOnce, .exactlyOnce])
    }

    @Test("an option above all listeners opens one more, with a warning at its line")
    func impliedListener() throws {
        let text = "max_connections 7\nlistener 1884\n"
        #expect(try parsed(text).listeners.map(\.port) == [1883, 1884])
        #expect(try parsed(text).listeners.map(\.connectionsMax) == [7, nil])
        let warnings = try remarks(text).filter { $0.severity == .warning }
        #expect(warnings.map(\.line) == [1])
        #expect(warnings.first?.message.contains("port 1883, every interface") == true)
    }

    @Test(
        "listener_… keys need their listener",
        arguments: ["listener_allow_anonymous true", "listener_auto_id_prefix x"])
    func needsListener(_ line: String) {
        #expect(problems("\(line)\nlistener 1\n").map(\.line) == [1])
    }

    @Test("a '#' behind the port is a comment; a host may be followed by one")
    func comment() throws {
        #expect(try parsed("listener 1884 # 10.0.0.1\n").listeners.map(\.host) == [nil])
        #expect(try parsed("listener 1884 #x\n").listeners.map(\.host) == [nil])
        #expect(try parsed("listener 1884 10.0.0.1 # x\n").listeners.map(\.host) == ["10.0.0.1"])
    }

    @Test("the same socket twice is told before the operating system does")
    func sameSocket() throws {
        #expect(problems("listener 1884\nlistener 1884\n").count == 1)
        #expect(problems("port 1884\nlistener 1884\n").count == 1)
        #expect(try parsed("listener 1884 10.0.0.1\nlistener 1884 10.0.0.2\n").listeners.count == 2)
    }

    @Test("-p, -v and -q")
    func commandLine() throws {
        var configuration = try parsed("max_qos 1\n")
        #expect(configuration.apply(try CommandLineOverrides(ports: [1890, 1891, 1890], isVerbose: true)) == [])
        #expect(configuration.listeners.map(\.port) == [1890, 1890, 1891, 1891])
        #expect(configuration.listeners.map(\.host) == ["127.0.0.1", "::1", "127.0.0.1", "::1"])
        #expect(configuration.listeners.allSatisfy { $0.qosMax == .atLeastOnce && $0.security.allowsAnonymous })
        #expect(configuration.log.types == .all)

        var quiet = try parsed("log_type all\n")
        #expect(quiet.apply(try CommandLineOverrides(isVerbose: true, isQuiet: true)) == [])
        #expect(quiet.log.types == [])

        var fromFile = try parsed("listener 1884\n")
        #expect(fromFile.apply(try CommandLineOverrides(ports: [1890])).map(\.severity) == [.warning])
        #expect(fromFile.listeners.map(\.port) == [1884])
    }

    @Test("-p: 1 to 65535, at most ten")
    func commandLinePorts() throws {
        #expect(try CommandLineOverrides(ports: Array(1...10)).ports.count == 10)
        #expect(throws: ConfigurationError.self) { try CommandLineOverrides(ports: Array(1...11)) }
        #expect(throws: ConfigurationError.self) { try CommandLineOverrides(ports: [0]) }
        #expect(throws: ConfigurationError.self) { try CommandLineOverrides(ports: [65_536]) }
    }
}
