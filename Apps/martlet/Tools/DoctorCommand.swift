import ArgumentParser
import MQTTClient
import MQTTTools

/// `martlet doctor`: what is wrong between here and a broker.
struct DoctorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Find out why a broker cannot be reached or used.",
        discussion: """
            Tries one stage after another: DNS, TCP, TLS (chain, names, expiry, versions), WebSocket, MQTT, credentials, subscribe,
            and a message there and back. The first that fails says why, and what to do.

            Exit status: 0 healthy, 10 DNS, 11 TCP, 12 TLS, 13 WebSocket, 14 MQTT, 15 credentials, 16 subscribe, 17 round trip,
            64 a wrong command line.

            Examples:
                martlet doctor localhost
                martlet doctor mqtts://broker.example --cafile ca.crt -u alice --password-file secret
                martlet doctor wss://broker.example/mqtt --json
            """)

    @OptionGroup var broker: BrokerOptions

    @Option(help: "A topic that this user may write and read; default: one of its own.")
    var topic: String?

    @Option(help: ArgumentHelp("Patience with each stage.", valueName: "seconds"))
    var timeout = 5.0

    @Flag(name: .customLong("json"), help: "Print one JSON document.")
    var isJSON = false

    func validate() throws {
        guard (0.1...3_600).contains(timeout) else { throw ValidationError("--timeout takes 0.1 to 3600 seconds.") }
        if let topic, (try? Topic(topic)) == nil { throw ValidationError("'\(topic)' is no topic to publish to.") }
    }

    func run() async throws {
        var doctor = Doctor(try broker.endpoint(), try broker.configuration(), timeout: .seconds(timeout))
        doctor.topic = try topic.map { try Topic($0) }
        let report = await doctor.run()
        print(isJSON ? report.json : report.text(mark: Self.mark))
        if report.exitStatus != 0 { throw ExitCode(report.exitStatus) }
    }

    private static func mark(_ outcome: DoctorReport.Outcome) -> String {
        switch outcome {
        case .ok: Terminal.green("✓")
        case .warning: "!"
        case .failed: Terminal.red("✗")
        }
    }
}
