import ArgumentParser
import Certificates
import Chat
import Glibc
import MQTTClient
import MQTTTools

/// `martlet chat`: a chat over MQTT. Its words are read as the exercise has them: `-h` is the host. [CH-1] [CH-14]
struct ChatCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "chat",
        abstract: "Chat over MQTT, and see how it works.",
        discussion: """
            On a terminal: a full screen; /help lists what can be typed, Tab completes, Ctrl-N goes to the next conversation, PgUp
            back in time. Elsewhere: a command a line on standard input, an event a line on standard output.

            Examples:
                martlet chat -h localhost -u alice
                martlet chat -h localhost -u alice -v --cafile certs/mqtt_ca.crt
                martlet chat -h localhost -u alice -V
                printf '/msg bob hello\\n' | martlet chat -u alice --json --explain

            Exit status: 0 after a goodbye, 1 where the broker could not be reached or threw us out, 64 a wrong command line.
            """,
        helpNames: [.long])

    @Option(name: [.customShort("h"), .long], help: "The broker.")
    var host = "localhost"

    @Option(name: [.short, .long], help: "Its port; by default 1883, 8883 with -v, 8884 with -V.")
    var port: Int?

    @Option(
        name: [.customShort("u"), .customLong("username"), .customLong("user")],
        help: "Your name, also the user name. With -V by default the certificate's common name.")
    var user: String?

    @OptionGroup(title: "Password") var secret: ChatSecretOptions
    @OptionGroup(title: "Encryption") var encryption: ChatEncryptionOptions

    @Option(name: .customLong("mqtt-version"), help: "5, 311 or 31 (mqttv5, mqttv311, mqttv31).")
    var version = "5"

    @Flag(help: "Stay in your groups after the logout; what is written there meanwhile comes when you return.")
    var stay = false

    @Flag(name: .customLong("json"), help: "Lines, each a JSON object.")
    var isJSON = false

    @Flag(name: .customLong("explain"), help: "Show with each event the packets that carried it.")
    var explains = false

    @Flag(name: .customLong("plain"), help: "Lines also on a terminal.")
    var isPlain = false

    func validate() throws {
        if let port, !(1...65_535).contains(port) { throw ValidationError("-p takes 1 to 65535.") }
        _ = try protocolVersion()
        if let user { _ = try name(user) }
        if user == nil, !encryption.provesOurselves { throw ValidationError("Who are you? -u NAME") }
    }

    func run() async throws {
        let settings: ChatSettings
        do {
            settings = try chatSettings()
        } catch let fault as SecureFile.Fault {
            Terminal.complain("Error: \(fault)")
            throw ExitCode(1)
        }
        ToolCommandLine.hideSecrets()
        let status = await ChatRun.run(settings)
        // A thread may still wait for standard input.
        fflush(nil)
        Glibc.exit(status)
    }

    private func chatSettings() throws -> ChatSettings {
        let own = try user.map { try self.name($0) }
        let tls = try encryption.tls(own?.text)
        let name = try own ?? self.name(try encryption.commonName())
        let number = port ?? encryption.port
        var settings = ChatSettings(
            name: name, endpoint: tls.map { .tls(host, port: number, $0) } ?? .tcp(host, port: number))
        settings.version = try protocolVersion()
        settings.userName = name.text
        // [CH-1]: the name is the password unless told. [CH-16]: with a certificate there need not be one.
        settings.password = try secret.given()?.bytes() ?? (encryption.provesOurselves ? nil : Array(name.text.utf8))
        settings.stays = stay
        settings.isJSON = isJSON
        settings.explains = explains
        settings.isPlain = isPlain
        settings.memory = GroupMemory.folder { getenv($0).map { String(cString: $0) } }
            .flatMap { GroupMemory(folder: $0, host: host, name: name) }
        return settings
    }

    private func name(_ text: String) throws -> ChatName {
        do { return try ChatName(text) } catch { throw ValidationError("-u: \(error).") }  // [CH-9]
    }

    private func protocolVersion() throws -> ProtocolVersion {
        guard let known = ProtocolVersion(commandLineName: version) else {
            throw ValidationError("--mqtt-version takes 5, 311 or 31, not '\(version)'.")
        }
        return known
    }
}

/// Where the password comes from.
struct ChatSecretOptions: ParsableArguments {
    @Option(
        name: [.customShort("P"), .customLong("password")],
        help:
            "Your password; by default your name. --password-file and --password-env keep it out of the list of processes."
    )
    var password: String?

    @Option(help: ArgumentHelp("Password: the first line of this file.", valueName: "file"))
    var passwordFile: String?

    @Option(help: ArgumentHelp("Password: this variable of the environment.", valueName: "name"))
    var passwordEnv: String?

    func validate() throws { _ = try given() }

    func given() throws -> GivenSecret? {
        try GivenSecret(
            word: password, file: passwordFile, variable: passwordEnv,
            options: "-P, --password-file and --password-env")
    }
}

/// `-v` and `-V`: whom we trust, and how we prove who we are. [CH-14]
struct ChatEncryptionOptions: ParsableArguments {
    /// What the exercise calls its authority's certificate.
    static let authority = "mqtt_ca.crt"

    @Flag(
        name: [.customShort("v"), .customLong("verify")],
        help: "Encrypt, and verify the server by its authority's certificate.")
    var verifies = false

    @Flag(
        name: [.customShort("V"), .customLong("verify-client")],
        help: "As -v, and prove who you are by a certificate.")
    var provesOurselves = false

    @Option(help: ArgumentHelp("The authority: by default mqtt_ca.crt here or in certs/.", valueName: "file"))
    var cafile: String?

    @Option(help: ArgumentHelp("Your certificate: by default certs/NAME.crt.", valueName: "file"))
    var cert: String?

    @Option(help: ArgumentHelp("Its key: by default certs/NAME.key.", valueName: "file"))
    var key: String?

    @Option(help: "The key's password. Others on this machine can see it.")
    var keyPassword: String?

    @Option(help: ArgumentHelp("The key's password: the first line of this file.", valueName: "file"))
    var keyPasswordFile: String?

    @Option(help: ArgumentHelp("The key's password: this variable of the environment.", valueName: "name"))
    var keyPasswordEnv: String?

    func validate() throws {
        guard provesOurselves || (cert == nil && key == nil) else {
            throw ValidationError("--cert and --key go with -V.")
        }
        guard verifies || provesOurselves || cafile == nil else {
            throw ValidationError("--cafile goes with -v or -V.")
        }
        _ = try secret()
    }

    /// [CH-14]
    var port: Int { provesOurselves ? 8_884 : verifies ? 8_883 : 1_883 }

    /// - Returns: nil without encryption.
    func tls(_ name: String?) throws -> ClientTLS? {
        guard verifies || provesOurselves else { return nil }
        let file = cafile ?? (Self.isThere(Self.authority) ? Self.authority : "certs/\(Self.authority)")
        guard provesOurselves else { return ClientTLS(trust: .file(file), identity: nil) }
        return ClientTLS(
            trust: .file(file),
            identity: .files(certificate: try certificate(name), key: try keyFile(name), password: try secret()?.text())
        )
    }

    /// Whom the certificate is for. [CH-16]
    func commonName() throws -> String {
        let file = try certificate(nil)
        let bytes = try SecureFile.read(file)
        guard let certificate = try? PEMBundle.certificates(in: bytes, file: file).first,
            let name = certificate.subject.commonName
        else { throw ValidationError("\(file): no certificate with a common name; say who you are with -u NAME.") }
        return name
    }

    private func certificate(_ name: String?) throws -> String {
        if let cert { return cert }
        guard let name else { throw ValidationError("-V needs -u NAME or --cert FILE.") }
        return "certs/\(name).crt"
    }

    private func keyFile(_ name: String?) throws -> String {
        if let key { return key }
        guard let name else { throw ValidationError("-V needs -u NAME or --key FILE.") }
        return "certs/\(name).key"
    }

    private func secret() throws -> GivenSecret? {
        try GivenSecret(
            word: keyPassword, file: keyPasswordFile, variable: keyPasswordEnv,
            options: "--key-password, --key-password-file and --key-password-env")
    }

    private static func isThere(_ path: String) -> Bool { access(path, F_OK) == 0 }
}
