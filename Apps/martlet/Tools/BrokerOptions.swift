import ArgumentParser
import MQTTClient
import MQTTTools
import MQTTTransport

/// Where the broker is and who we are: shared by the tools that are not mosquitto's.
struct BrokerOptions: ParsableArguments {
    @Argument(help: "The broker: mqtt://, mqtts://, ws:// or wss://, with host and port; or HOST[:PORT].")
    var url: String

    @Option(name: [.customShort("u"), .long], help: "User name; also user@ in the URL.")
    var username: String?

    @Option(
        name: [.customShort("P"), .customLong("password")],
        help: "Password. Others on this machine can see it: --password-file or --password-env are better.")
    var password: String?

    @Option(help: ArgumentHelp("Password: the first line of this file.", valueName: "file"))
    var passwordFile: String?

    @Option(help: ArgumentHelp("Password: this variable of the environment.", valueName: "name"))
    var passwordEnv: String?

    @Option(name: [.customShort("i"), .customLong("id")], help: "Client identifier; default: one made by chance.")
    var identifier: String?

    @Option(name: [.customShort("V"), .customLong("mqtt-version")], help: "5, 311 or 31 (mqttv5, mqttv311, mqttv31).")
    var version = "5"

    @Option(help: ArgumentHelp("Whom to trust, or the server's own certificate: PEM or DER.", valueName: "file"))
    var cafile: String?

    @Option(help: ArgumentHelp("Our certificate.", valueName: "file"))
    var cert: String?

    @Option(help: ArgumentHelp("Its key.", valueName: "file"))
    var key: String?

    @Flag(help: "Take a certificate for any other host name. For looking for faults.")
    var insecure = false

    @Flag(help: "Take any certificate: everybody could be the broker. For looking for faults.")
    var insecureNoVerify = false

    func validate() throws {
        _ = try place()
        _ = try protocolVersion()
        guard (cert == nil) == (key == nil) else { throw ValidationError("--cert and --key belong together.") }
        _ = try secret()
    }

    func place() throws -> BrokerAddress {
        do { return try BrokerAddress(url) } catch { throw ValidationError("\(error)") }
    }

    private func protocolVersion() throws -> ProtocolVersion {
        guard let known = ProtocolVersion(commandLineName: version) else {
            throw ValidationError("-V takes 5, 311 or 31, not '\(version)'.")
        }
        return known
    }

    private func secret() throws -> GivenSecret? {
        try GivenSecret(
            word: password, file: passwordFile, variable: passwordEnv,
            options: "--password, --password-file and --password-env")
    }

    // MARK: What they mean

    /// Encrypted where the URL says so, or any option of TLS is given.
    func endpoint() throws -> Endpoint { endpoint(try place(), identity: identity) }

    var identity: ClientIdentity? {
        guard let cert, let key else { return nil }
        return .files(certificate: cert, key: key)
    }

    func endpoint(_ place: BrokerAddress, identity: ClientIdentity?) -> Endpoint {
        var tls: ClientTLS?
        if place.scheme.isEncrypted || cafile != nil || identity != nil || insecure || insecureNoVerify {
            var settings = ClientTLS(trust: cafile.map { .file($0) } ?? .system, identity: identity)
            if insecure { settings = settings.insecurelyAcceptingAnyHostName() }
            if insecureNoVerify { settings = settings.insecurelyAcceptingAnyServer() }
            tls = settings
        }
        if place.scheme.isWebSocket {
            let path = place.rest.isEmpty ? "/mqtt" : "/" + place.rest
            return .webSocket(place.host, port: place.port, path: path, tls: tls)
        }
        return tls.map { .tls(place.host, port: place.port, $0) } ?? .tcp(place.host, port: place.port)
    }

    func configuration() throws -> ClientConfiguration {
        let place = try place()
        var configuration = ClientConfiguration(clientIdentifier: identifier ?? "", version: try protocolVersion())
        configuration.userName = username ?? place.userName
        configuration.password = try secret()?.bytes() ?? place.password.map { Array($0.utf8) }
        return configuration
    }
}
