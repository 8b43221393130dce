import ArgumentParser
import MQTTClient
import MQTTTools

/// `martlet bench`: how fast a broker is, and whether it keeps its word meanwhile.
struct BenchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Measure a broker: connections, messages, what TLS costs.",
        discussion: """
            Says how far it is once a second (on standard error), and at the end counts, rates and percentiles. The exit status is 1
            where something failed, was lost, came twice where it must not, or out of order.

            Examples:
                martlet bench conn localhost -c 1000
                martlet bench pairs localhost -c 10 -n 100000 -q 1 --json
                martlet bench compare localhost --cafile ca.crt --cert me.crt --key me.key
            """,
        subcommands: [
            BenchConnCommand.self, BenchPubCommand.self, BenchSubCommand.self, BenchPairsCommand.self,
            BenchCompareCommand.self,
        ])
}

/// What the kinds have in common.
struct BenchOptions: ParsableArguments {
    @OptionGroup var broker: BrokerOptions

    @Option(name: [.customShort("c"), .long], help: "Connections; of pairs: publishers, and as many subscribers.")
    var clients = 10

    @Flag(name: .customLong("json"), help: "Print one JSON document.")
    var isJSON = false

    func validate() throws {
        guard (1...1_000_000).contains(clients) else { throw ValidationError("--clients takes 1 to 1000000.") }
    }

    func plan(_ kind: BenchPlan.Kind, _ messages: BenchMessageOptions? = nil) throws -> BenchPlan {
        var plan = BenchPlan(kind, try broker.endpoint(), try broker.configuration())
        plan.clients = clients
        guard let messages else { return plan }
        plan.messages = messages.messages
        plan.duration = .seconds(messages.seconds)
        plan.qos = QoS(rawValue: messages.qos) ?? .atMostOnce
        plan.payloadBytes = messages.size
        plan.rate = messages.rate
        if let topic = messages.topic { plan.topic = topic }
        return plan
    }

    func run(_ plan: BenchPlan) async throws {
        let report = await Bench(plan).run { progress in
            Terminal.complain(
                "\(Int(progress.seconds.rounded())) s: \(progress.connected) connected"
                    + (plan.kind == .conn ? "" : ", \(progress.sent) sent, \(progress.received) received")
                    + (progress.failed > 0 ? ", \(progress.failed) failed" : ""))
        }
        print(isJSON ? report.json : report.text)
        if !report.isSound { throw ExitCode(1) }
    }
}

struct BenchMessageOptions: ParsableArguments {
    @Option(
        name: [.customShort("n"), .long],
        help: "Messages of each publisher; of sub: in all. Default: until --seconds are over.")
    var messages: Int?

    @Option(name: [.customShort("s"), .long], help: "How long, where no number of messages is given.")
    var seconds = 10.0

    @Option(name: [.customShort("q"), .long], help: "Quality of service.")
    var qos: UInt8 = 0

    @Option(help: ArgumentHelp("Payload, at least 16.", valueName: "bytes"))
    var size = 64

    @Option(
        help: ArgumentHelp(
            "Messages a second, all publishers together; default: as fast as it goes.", valueName: "count"))
    var rate: Double?

    @Option(name: [.customShort("t"), .long], help: "Topics begin with it; of sub: the filter.")
    var topic: String?

    func validate() throws {
        guard qos <= 2 else { throw ValidationError("--qos takes 0, 1 or 2.") }
        guard (16...10_000_000).contains(size) else { throw ValidationError("--size takes 16 to 10000000 bytes.") }
        guard (messages ?? 1) > 0, seconds > 0, (rate ?? 1) > 0 else {
            throw ValidationError("--messages, --seconds and --rate are more than 0.")
        }
    }

    func validateTopic() throws {
        guard let topic else { return }
        guard (try? Topic(topic)) != nil else { throw ValidationError("'\(topic)' is no topic to publish to.") }
    }
}

struct BenchConnCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "conn", abstract: "Open connections, and hold them until all are there.")
    @OptionGroup var options: BenchOptions

    func run() async throws { try await options.run(try options.plan(.conn)) }
}

struct BenchPubCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "pub", abstract: "Publish.")
    @OptionGroup var options: BenchOptions
    @OptionGroup var messages: BenchMessageOptions

    func validate() throws { try messages.validateTopic() }
    func run() async throws { try await options.run(try options.plan(.pub, messages)) }
}

struct BenchSubCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sub", abstract: "Subscribe, and count what others send.")
    @OptionGroup var options: BenchOptions
    @OptionGroup var messages: BenchMessageOptions

    func validate() throws {
        guard let topic = messages.topic, (try? TopicFilter(topic)) != nil else {
            throw ValidationError("--topic FILTER says what to subscribe to.")
        }
    }

    func run() async throws { try await options.run(try options.plan(.sub, messages)) }
}

struct BenchPairsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pairs", abstract: "Publish and subscribe: loss, duplicates, order, and how long messages take.")
    @OptionGroup var options: BenchOptions
    @OptionGroup var messages: BenchMessageOptions

    func validate() throws { try messages.validateTopic() }
    func run() async throws { try await options.run(try options.plan(.pairs, messages)) }
}

struct BenchCompareCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "compare",
        abstract: "The same in the clear, over TLS and over mutual TLS, side by side.",
        discussion: """
            The URL names the host; the ports are 1883 for plain text and 8883 for TLS unless said otherwise. Mutual TLS is measured where
            --cert and --key are given. Every way moves messages between one publisher and one subscriber.
            """)

    @OptionGroup var broker: BrokerOptions

    @Option(help: "Port in the clear.") var plainPort = 1883
    @Option(help: "Port of TLS.") var tlsPort = 8883
    @Option(help: "Port of mutual TLS; default: that of TLS.") var mutualPort: Int?
    @Option(help: "Connections, one after another.") var connections = 100
    @Option(name: [.customShort("n"), .long], help: "Messages.") var messages = 20_000
    @Option(name: [.customShort("q"), .long], help: "Quality of service.") var qos: UInt8 = 1
    @Option(help: ArgumentHelp("Payload, at least 16.", valueName: "bytes")) var size = 64
    @Flag(name: .customLong("json"), help: "Print one JSON document.") var isJSON = false

    func validate() throws {
        guard qos <= 2 else { throw ValidationError("--qos takes 0, 1 or 2.") }
        guard (16...10_000_000).contains(size) else { throw ValidationError("--size takes 16 to 10000000 bytes.") }
        guard connections > 0, messages > 0 else {
            throw ValidationError("--connections and --messages are more than 0.")
        }
        for port in [plainPort, tlsPort, mutualPort ?? tlsPort] where !(1...65_535).contains(port) {
            throw ValidationError("\(port) is no port; there are 1 to 65535.")
        }
    }

    func run() async throws {
        let host = try broker.place().host
        var tls = ClientTLS(trust: broker.cafile.map { .file($0) } ?? .system)
        if broker.insecure { tls = tls.insecurelyAcceptingAnyHostName() }
        if broker.insecureNoVerify { tls = tls.insecurelyAcceptingAnyServer() }
        var ways = [
            BenchComparison.Way("plain", .tcp(host, port: plainPort)) { .tcp("127.0.0.1", port: $0) },
            Self.encrypted("TLS", host, tlsPort, tls),
        ]
        if let identity = broker.identity {
            var mutual = tls
            mutual.identity = identity
            ways.append(Self.encrypted("mutual TLS", host, mutualPort ?? tlsPort, mutual))
        }
        var comparison = BenchComparison(ways, try broker.configuration())
        comparison.connections = connections
        comparison.messages = messages
        comparison.qos = QoS(rawValue: qos) ?? .atLeastOnce
        comparison.payloadBytes = size
        let rows = await comparison.run { Terminal.complain($0) }
        print(isJSON ? BenchComparison.json(rows) : BenchComparison.text(rows))
        if !rows.allSatisfy(\.isSound) { throw ExitCode(1) }
    }

    private static func encrypted(_ name: String, _ host: String, _ port: Int, _ tls: ClientTLS) -> BenchComparison.Way
    {
        BenchComparison.Way(name, .tls(host, port: port, tls)) { .tls(host, port: $0, tls).resolving(to: "127.0.0.1") }
    }
}
