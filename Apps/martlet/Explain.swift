import ArgumentParser
import BrokerAccess
import BrokerConfiguration
import BrokerServer
import MQTTProtocol

/// `martlet explain`: what a configuration lets somebody do, and which line of which file says so.
struct ExplainCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "explain",
        abstract: "Say whether somebody may come in and do something, and which rule says so.",
        discussion: """
            Reads the configuration and the password and ACL files it names, as they are on the disk now, and asks them what a
            running broker would ask. It needs no broker and changes nothing. The password is taken to be right. Where a
            listener takes user names from certificates, --username is what stands in the certificate.

            Without --client the client is one that leaves its identifier to the broker; patterns with %c need it.
            A configuration with several listeners may answer differently at each: name one with --listener.

            Exit status: 0 allowed, 1 denied (the login or the deed), 3 the configuration is wrong, 64 a wrong command line.

            Examples:
                martlet explain -c mosquitto.conf --username alice --client alice-phone --publish home/lamp
                martlet explain -c mosquitto.conf --anonymous --receive 'news/today' --listener 1883
                martlet explain -c mosquitto.conf --username bob --subscribe 'home/#' --json
            """)

    @Option(name: [.customShort("c"), .customLong("config-file")], help: "The configuration: a mosquitto.conf.")
    var configFile: String

    @Option(name: [.customShort("u"), .customLong("username")], help: "The user name that the client gives.")
    var username: String?

    @Flag(help: "The client gives no user name.")
    var anonymous = false

    @Option(name: [.customShort("i"), .customLong("client")], help: "The client identifier.")
    var client: String?

    @Option(help: ArgumentHelp("May it publish to this topic?", valueName: "topic"))
    var publish: String?

    @Option(help: ArgumentHelp("May it subscribe to this filter?", valueName: "filter"))
    var subscribe: String?

    @Option(help: ArgumentHelp("Are messages of this topic delivered to it?", valueName: "topic"))
    var receive: String?

    @Option(
        help: ArgumentHelp("The listener: its port, ADDRESS:PORT, or a socket's path.", valueName: "port|path"))
    var listener: String?

    @Flag(name: .customLong("json"), help: "Print one JSON document.")
    var isJSON = false

    func validate() throws {
        guard (username != nil) != anonymous else {
            throw ValidationError("Say who it is: --username NAME, or --anonymous.")
        }
        guard [publish, subscribe, receive].compactMap(\.self).count == 1 else {
            throw ValidationError("Ask one thing: --publish TOPIC, --subscribe FILTER, or --receive TOPIC.")
        }
        _ = try question()
    }

    func run() throws {
        let (configuration, access) = try load()
        let question = try question()
        let asked = configuration.listeners.indices.filter { isAsked(configuration.listeners[$0]) }
        let answers = asked.map { AccessExplanation(question, configuration, access, listener: $0) }
        guard let answer = answers.first else {
            throw ValidationError("There is no listener \(listener ?? ""). \(Self.choices(configuration))")
        }
        guard answers.allSatisfy({ $0.login == answer.login && $0.decision == answer.decision }) else {
            throw ValidationError("The listeners differ: name one with --listener. \(Self.choices(configuration))")
        }
        let text = ExplainText(question, answer)
        print(isJSON ? try text.json() : text.plain)
        if !answer.isAllowed { throw ExitCode(1) }
    }

    private func load() throws -> (BrokerConfiguration, AccessSnapshot) {
        let configuration: BrokerConfiguration
        do throws(ConfigurationError) {
            configuration = try BrokerConfiguration.load(file: configFile).configuration
        } catch {
            for problem in error.problems { Terminal.complain("Error: \(problem)") }
            throw ExitCode(3)
        }
        do throws(AccessFileError) {
            return (configuration, try Broker.loadAccess(configuration))
        } catch {
            Terminal.complain("Error: \(Broker.diagnostic(for: error, in: configuration))")
            throw ExitCode(3)
        }
    }

    private func question() throws -> AccessExplanation.Question {
        func string(_ text: String, _ what: String) throws -> MQTTString {
            guard let string = MQTTString(Array(text.utf8)) else { throw ValidationError("\(what) is no MQTT text.") }
            return string
        }
        let (deed, text): (AccessExplanation.Deed, String) =
            publish.map { (.publish, $0) } ?? receive.map { (.receive, $0) } ?? (.subscribe, subscribe ?? "")
        let topic = try string(text, "The topic")
        let isValid = topic.bytes.withUnsafeBytes { bytes in
            guard deed == .subscribe else { return TopicSyntax.isValidName(bytes) }
            return switch TopicSyntax.sharedFilter(bytes) {
            case .invalid: false
            case .shared: true
            case .notShared: TopicSyntax.isValidFilter(bytes)
            }
        }
        guard isValid else {
            throw ValidationError("'\(text)' is no \(deed == .subscribe ? "topic filter" : "topic name").")
        }
        return AccessExplanation.Question(
            userName: try username.map { try string($0, "The user name") },
            clientIdentifier: try client.map { try string($0, "The client identifier") }, deed: deed, topic: topic)
    }

    private func isAsked(_ candidate: ListenerConfiguration) -> Bool {
        guard let listener else { return true }
        switch candidate.address {
        case .unix(let path): return listener == path
        case .tcp(let host, let port): return listener == "\(port)" || listener == "\(host ?? "*"):\(port)"
        }
    }

    private static func choices(_ configuration: BrokerConfiguration) -> String {
        let names = configuration.listeners.map { listener in
            switch listener.address {
            case .unix(let path): path
            case .tcp(let host, let port): "\(host ?? "*"):\(port)"
            }
        }
        return "There are: \(names.joined(separator: ", "))."
    }
}
