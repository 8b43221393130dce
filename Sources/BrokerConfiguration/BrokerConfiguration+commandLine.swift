/// What `-p`, `-v`, `-q` and the environment say. `-c` is `BrokerConfiguration.load(file:)`.
package struct CommandLineOverrides: Sendable, Equatable {
    /// Ports of loopback listeners, each once, in the order given.
    package let ports: [Int]
    /// Log everything.
    package let isVerbose: Bool
    /// Log nothing; beats `isVerbose`.
    package let isQuiet: Bool
    /// The environment's `MOSQUITTO_PERSISTENCE_LOCATION`; goes before the file's `persistence_location`.
    package let persistenceLocation: String?

    /// Throws for a port outside 1…65535 and for more than 10 of them.
    package init(
        ports: [Int] = [], isVerbose: Bool = false, isQuiet: Bool = false, persistenceLocation: String? = nil
    ) throws(ConfigurationError) {
        guard ports.count <= Limit.commandLinePortsMax else {
            throw Self.refusal(
                "-p may be given at most \(Limit.commandLinePortsMax) times; write more listeners into a file")
        }
        var distinct: [Int] = []
        for port in ports where !distinct.contains(port) {
            guard (1...65535).contains(port) else {
                throw Self.refusal("-p must be a port from 1 to 65535, not \(port)")
            }
            distinct.append(port)
        }
        self.ports = distinct
        self.isVerbose = isVerbose
        self.isQuiet = isQuiet
        self.persistenceLocation = persistenceLocation
    }

    static let place = "command line"

    private static func refusal(_ message: String) -> ConfigurationError {
        ConfigurationError([Diagnostic(severity: .error, file: place, line: nil, message: message)])
    }
}

extension BrokerConfiguration {
    /// Lets the command line have its say over the file; what it could not change is returned as warnings.
    package mutating func apply(_ overrides: CommandLineOverrides) -> [Diagnostic] {
        if overrides.isQuiet {
            log.types = []
        } else if overrides.isVerbose {
            log.types = .all
        }
        if let persistenceLocation = overrides.persistenceLocation { persistence.location = persistenceLocation }
        guard !overrides.ports.isEmpty else { return [] }
        guard isLocalOnly, let template = listeners.first else {
            return [
                Diagnostic(
                    severity: .warning, file: CommandLineOverrides.place, line: nil,
                    message: "-p is ignored, because the configuration file names a listener")
            ]
        }
        listeners = overrides.ports.flatMap { port in ListenerConfiguration.loopback(port: port, like: template) }
        return []
    }
}
