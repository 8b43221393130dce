import ArgumentParser

@main
struct Martlet: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "martlet",
        abstract: "The MQTT platform in Swift.",
        discussion: """
            Start a broker on this machine:      martlet broker
            With your mosquitto.conf:            martlet broker -c /etc/mosquitto/mosquitto.conf
            Only check the configuration:        martlet broker -c FILE --test-config
            What the broker keeps on disk:       martlet store --help
            """,
        subcommands: [BrokerCommand.self, StoreCommand.self])
}
