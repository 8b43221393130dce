import ArgumentParser
import BrokerAccess
import BrokerConfiguration
import BrokerServer
import Glibc
import UnixSignals

/// `martlet broker`: mosquitto's options with mosquitto's meaning.
struct BrokerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "broker",
        abstract: "Run the MQTT broker (3.1, 3.1.1 and 5.0).",
        discussion: """
            Without a configuration it listens on port 1883 of this machine only, and lets everyone in. As soon as a
            file names a listener, anonymous clients are refused unless the file allows them.

            Exit status: 0 stopped by a signal, 1 a listener cannot be opened, 3 the configuration is wrong.
            """)

    @Option(name: [.customShort("c"), .customLong("config-file")], help: "Read this mosquitto.conf.")
    var configFile: String?

    @Flag(
        name: .customLong("service"),
        help: "Without -c, read /etc/martlet/martlet.conf, or where it is not there /etc/mosquitto/mosquitto.conf.")
    var isService = false

    @Option(
        name: [.customShort("p"), .customLong("port")],
        help: "Listen on this port of this machine; up to 10 times. Ignored where the file names a listener.")
    var ports: [Int] = []

    @Flag(
        name: [.customShort("d"), .customLong("daemon")],
        help:
            "Go on in the background; returns when clients may connect. Without log_dest file or syslog nothing is logged then."
    )
    var isDaemon = false

    @Flag(name: [.customShort("v"), .customLong("verbose")], help: "Log everything; beats the file.")
    var isVerbose = false

    @Flag(name: [.customShort("q"), .customLong("quiet")], help: "Log nothing; beats -v and the file.")
    var isQuiet = false

    @Option(
        name: .customLong("tls-keylog"),
        help: ArgumentHelp("Write the secrets of TLS connections to this file, for Wireshark.", valueName: "file"))
    var tlsKeyLog: String?

    @Flag(name: .customLong("test-config"), help: "Check the configuration and exit: 0 good, 3 wrong.")
    var isTest = false

    func run() async throws {
        let source = try source()
        let (configuration, warnings) = try load(source)
        if isDaemon, !isTest, !Daemon.isChild { throw ExitCode(try Daemon.start()) }
        var secrets = StartSecrets()
        secrets.tlsKeyLog = tlsKeyLog
        secrets.passphrases = askForPassphrases(configuration)
        guard !isTest else { return try test(configuration, secrets, warnings) }
        // Before anybody can connect: whoever sees us listen may stop us.
        let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint, .sigusr1, .sigusr2, .sighup)
        ReopenSignal.ignore()
        let broker: Broker
        do {
            broker = try Broker(configuration, secrets)
            try broker.start(source: source, warnings: warnings)
        } catch let error as TransportProblems {
            throw Self.failed(error.problems.map(\.description), status: 3, configuration)
        } catch let error as AccessFileError {
            throw Self.failed([Broker.diagnostic(for: error, in: configuration).description], status: 3, configuration)
        } catch {
            throw Self.failed(["\(error)"], status: 1, configuration)
        }
        Daemon.isReady()
        let reopening = ReopenSignal { [broker] in broker.reopenLog() }
        serving: for await signal in signals {
            switch signal {
            case .sigusr1: broker.saveStore()
            case .sigusr2: broker.logStatus()
            case .sighup: await broker.reload(from: source)
            default: break serving
            }
        }
        reopening.end()
        await broker.stop()
    }

    /// `--test-config`: everything a start would read is read, and nothing is opened.
    private func test(_ configuration: BrokerConfiguration, _ secrets: StartSecrets, _ warnings: [Diagnostic]) throws {
        for warning in warnings { Self.complain("\(warning.severity.rawValue): \(warning)") }
        let found = Broker.transportProblems(configuration, secrets)
        for one in found { Self.complain("\(one.severity == .error ? "Error" : one.severity.rawValue): \(one)") }
        if found.contains(where: { $0.severity == .error }) { throw ExitCode(3) }
        do throws(AccessFileError) {
            for remark in try Broker.loadAccess(configuration).remarks { Self.complain("warning: \(remark)") }
        } catch {
            Self.complain("Error: \(Broker.diagnostic(for: error, in: configuration))")
            throw ExitCode(3)
        }
    }

    /// Encrypted keys whose passphrase no file holds: whoever sits at the terminal knows it. Kept for reloads.
    private func askForPassphrases(_ configuration: BrokerConfiguration) -> [String: [UInt8]] {
        var passphrases: [String: [UInt8]] = [:]
        for file in Broker.keysWithoutPassphrase(configuration) {
            if let passphrase = Terminal.askSecretly("Passphrase of \(file): ") { passphrases[file] = passphrase }
        }
        return passphrases
    }

    /// The file to read, if there is one.
    private var file: String? {
        if let configFile { return configFile }
        guard isService else { return nil }
        let places = ["/etc/martlet/martlet.conf", "/etc/mosquitto/mosquitto.conf"]
        // Where neither is there, the first is asked for, and its absence is told.
        return places.first { access($0, F_OK) == 0 } ?? places[0]
    }

    private func source() throws -> ConfigurationSource {
        do throws(ConfigurationError) {
            let overrides = try CommandLineOverrides(
                ports: ports, isVerbose: isVerbose, isQuiet: isQuiet,
                persistenceLocation: getenv("MOSQUITTO_PERSISTENCE_LOCATION").map { String(cString: $0) })
            return ConfigurationSource(file: file, overrides: overrides)
        } catch {
            throw Self.wrong(error)
        }
    }

    private func load(_ source: ConfigurationSource) throws -> (BrokerConfiguration, [Diagnostic]) {
        do throws(ConfigurationError) { return try source.load() } catch { throw Self.wrong(error) }
    }

    private static func wrong(_ error: ConfigurationError) -> ExitCode {
        for problem in error.problems { complain("Error: \(problem)") }
        return ExitCode(3)
    }

    /// There is no start: whoever tried hears of it, and the log has it.
    private static func failed(_ problems: [String], status: Int32, _ configuration: BrokerConfiguration) -> ExitCode {
        for problem in problems { complain("Error: \(problem)") }
        Broker.recordFailure(problems, configuration)
        return ExitCode(status)
    }

    private static func complain(_ text: String) {
        var text = text + "\n"
        _ = text.withUTF8 { write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }
}
