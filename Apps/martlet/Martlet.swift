import ArgumentParser
import BrokerServer

/// `martlet` and its subcommands; `Program` runs it.
struct Martlet: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "martlet",
        abstract: "The MQTT platform in Swift.",
        discussion: """
            Start a broker on this machine:      martlet broker
            With your mosquitto.conf:            martlet broker -c /etc/mosquitto/mosquitto.conf
            What becomes of each of its lines:   martlet config check FILE
            What the broker keeps on disk:       martlet store --help
            Users and their passwords:           martlet passwd --help
            Who may do what, and why:            martlet explain --help
            Keys, certificates, an authority:    martlet certs --help
            Keys and certificates in tokens:     martlet provision --help
            Publish a message:                   martlet pub -t greetings -m hello
            See what is published:               martlet sub -v -t '#'
            Mutual authentication, step by step: martlet demo mutual-auth --help
            Chat with others:                    martlet chat -h HOST -u NAME
            What is wrong with a connection:     martlet doctor URL
            How fast a broker is:                martlet bench --help
            What passes between two programs:    martlet wiretap --help
            """,
        version: "martlet \(BrokerServer.Martlet.version)",
        subcommands: [
            BrokerCommand.self, ConfigCommand.self, StoreCommand.self, PasswordCommand.self, ExplainCommand.self,
            CertsCommand.self, ProvisionCommand.self, PublishCommand.self, SubscribeCommand.self, RequestCommand.self,
            JSONCommand.self, BenchCommand.self, DoctorCommand.self, WiretapCommand.self, DemoCommand.self,
            ChatCommand.self, CompletionCommand.self,
        ])

    static func main() async {
        if ProgramName.called == PasswordCommand.mosquittoName { ProgramName.run(PasswordCommand.self) }
        if ProgramName.called == "mosquitto" { await ProgramName.run(BrokerCommand.self) }
        MkcertProgram.runIfCalledSo()
        await main(nil)
    }
}
