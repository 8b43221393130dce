import ArgumentParser
import Certificates
import Glibc

/// Putting an authority into a trust store, and taking it out: our own folder, or the machine's when asked. [MK-6] [MK-8]
enum CertsTrust {
    static func isInstalled(_ authority: ParsedCertificate) -> Bool {
        [TrustStore.own(environment: MkcertProgram.environment), TrustStore.system()].contains { store in
            store.map { SecureFile.exists($0.path(of: authority)) } ?? false
        }
    }

    static func install(_ authority: ParsedCertificate, isSystem: Bool) throws {
        let store = try store(isSystem: isSystem)
        switch try store.install(authority) {
        case .alreadySo: print("The local CA is already installed in the \(name(isSystem)) trust store! 👍")
        case .done:
            try refresh(store)
            print("The local CA is now installed in the \(name(isSystem)) trust store! ⚡️")
        }
        if !isSystem {
            print(
                "It is \(store.path(of: authority)); --system puts it into the machine's own store, which needs root.")
        }
    }

    static func uninstall(_ authority: ParsedCertificate, isSystem: Bool) throws {
        let store = try store(isSystem: isSystem)
        switch try store.uninstall(authority) {
        case .alreadySo: print("The local CA is not in the \(name(isSystem)) trust store.")
        case .done:
            try refresh(store)
            print("The local CA is now uninstalled from the \(name(isSystem)) trust store! 👋")
        }
    }

    private static func name(_ isSystem: Bool) -> String { isSystem ? "system" : "Martlet" }

    private static func store(isSystem: Bool) throws -> TrustStore {
        guard isSystem else {
            guard let own = TrustStore.own(environment: MkcertProgram.environment) else {
                throw SecureFile.Fault(path: "HOME", reason: "is not set; set MARTLET_TRUST to a folder")
            }
            return own
        }
        if let wanted = MkcertProgram.environment["TRUST_STORES"],
            !wanted.split(separator: ",").contains("system")
        {
            throw SecureFile.Fault(path: "TRUST_STORES", reason: "does not name system, the only store known here")
        }
        guard let system = TrustStore.system() else {
            throw SecureFile.Fault(path: "/usr/local/share/ca-certificates", reason: "no trust store of a known kind")
        }
        return system
    }

    /// Runs the system's own program; there is none for our folder.
    private static func refresh(_ store: TrustStore) throws {
        guard let command = store.refresh else { return }
        var pid: pid_t = 0
        var arguments: [UnsafeMutablePointer<CChar>?] = command.map { strdup($0) } + [nil]
        defer { arguments.forEach { free($0) } }
        guard posix_spawnp(&pid, command[0], nil, nil, &arguments, environ) == 0 else {
            throw SecureFile.Fault(path: command[0], reason: "cannot be run: \(String(cString: strerror(errno)))")
        }
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0, errno == EINTR {}
        guard status == 0 else { throw SecureFile.Fault(path: command[0], reason: "failed") }
    }
}

/// What `install` and `uninstall` share.
struct TrustOptions: ParsableArguments {
    @Option(help: "Another authority's certificate; by default mkcert's own in CAROOT, made if there is none.")
    var ca: String?

    @Flag(help: "The machine's trust store instead of Martlet's own; needs root.")
    var system = false

    func certificate() throws -> ParsedCertificate {
        try ca.map { try CertsCommand.certificates($0)[0] } ?? MkcertProgram.authority().certificate
    }
}

/// `martlet certs install`
struct CertsInstallCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "install", abstract: "Put an authority into a trust store.",
        discussion: """
            Into Martlet's own folder ($XDG_DATA_HOME/martlet/trust, or MARTLET_TRUST), which capath may name; the
            machine's own store is touched only with --system.
            """)

    @OptionGroup var options: TrustOptions

    func run() throws {
        try CertsCommand.reporting { try CertsTrust.install(options.certificate(), isSystem: options.system) }
    }
}

/// `martlet certs uninstall`
struct CertsUninstallCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "uninstall", abstract: "Take an authority out of a trust store; the authority itself stays.")

    @OptionGroup var options: TrustOptions

    func run() throws {
        try CertsCommand.reporting { try CertsTrust.uninstall(options.certificate(), isSystem: options.system) }
    }
}

/// `martlet certs caroot`
struct CertsRootCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "caroot", abstract: "Print the folder of mkcert's authority (CAROOT).")

    func run() throws { try CertsCommand.reporting { print(try MkcertProgram.root()) } }
}
