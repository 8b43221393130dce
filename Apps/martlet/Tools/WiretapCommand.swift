import ArgumentParser
import MQTTTools

/// `martlet wiretap`: a relay that shows what passes.
struct WiretapCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "wiretap",
        abstract: "Relay connections and show what passes.",
        discussion: """
            Listens on LISTEN, connects each client on to TARGET, and prints every MQTT packet that passes, or hex where the traffic
            cannot be read: what is plain text on port 1883 is not on port 8883. Passwords are never shown. Ctrl-C ends it.

            Examples:
                martlet wiretap 1884 localhost:1883      then: martlet sub -p 1884 -t '#'
                martlet wiretap 8884 localhost:8883      the same over TLS
            """)

    @Argument(help: "Where to listen: PORT (of 127.0.0.1) or HOST:PORT.")
    var listen: String

    @Argument(help: "The broker: HOST, HOST:PORT or PORT (of 127.0.0.1). The port is 1883 where none is said.")
    var target: String

    @Option(help: ArgumentHelp("Bytes shown of each piece that cannot be read.", valueName: "count"))
    var hex = 128

    func validate() throws {
        _ = try addresses()
        guard (0...1_048_576).contains(hex) else { throw ValidationError("--hex takes 0 to 1048576.") }
    }

    private func addresses() throws -> (Wiretap.Address, Wiretap.Address) {
        guard let listen = Wiretap.Address(listen, host: "127.0.0.1") else {
            throw ValidationError("LISTEN is PORT or HOST:PORT, not '\(listen)'.")
        }
        guard let target = Wiretap.Address(target, host: "127.0.0.1", port: 1883), target.port > 0 else {
            throw ValidationError("TARGET is HOST, HOST:PORT or PORT, not '\(target)'.")
        }
        return (listen, target)
    }

    func run() async throws {
        let (listen, target) = try addresses()
        let tap: Wiretap
        do {
            tap = try await Wiretap(on: listen, to: target, hexBytesMax: hex) { Terminal.say($0) }
        } catch {
            Terminal.complain("wiretap: \(listen) cannot be listened on: \(error)")
            throw ExitCode(1)
        }
        Terminal.complain("Listening on \(listen.host):\(tap.port), on to \(target). Ctrl-C ends it.")
        await tap.run()
    }
}
