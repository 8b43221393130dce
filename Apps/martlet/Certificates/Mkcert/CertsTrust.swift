import ArgumentParser
import Certificates

/// Putting an authority into a trust store, and taking it out: our own folder, or the machine's when asked. [MK-6] [MK-8]
enum CertsTrust {
    static func isInstalled(_ authority: ParsedCertificate) -> Bool {
        [TrustStore.own(environment: MkcertProgram.environment), TrustStore.system()].contains { store in
            store.map { SecureFile.exists($0.path(of: authority)) } ?? false
        }
    }

    static func install(_ authority: ParsedCertificate, isSystem: Bool) throws {
        guard isSystem else {
            let store = try ownStore()
            tell(try store.install(authority), "installed in the Martlet trust store", done: "⚡️")
            print(
                "It is \(store.path(of: authority)); --system puts it into the machine's own store, which needs root.")
            return
        }
        if isWanted("system") {
            let store = try systemStore()
            let change =
                SecureFile.exists(store.path(of: authority))
                ? TrustStore.Change.alreadySo : try SystemStore(store).install(authority)
            tell(change, "installed in the system trust store", done: "⚡️")
        }
        if isWanted("nss") { BrowserStores(home: MkcertProgram.environment["HOME"]).install(authority) }
    }

    static func uninstall(_ authority: ParsedCertificate, isSystem: Bool) throws {
        guard isSystem else {
            return tell(try ownStore().uninstall(authority), "uninstalled from the Martlet trust store", done: "👋")
        }
        if isWanted("nss") { BrowserStores(home: MkcertProgram.environment["HOME"]).uninstall(authority) }
        guard isWanted("system") else { return }
        let store = try systemStore()
        let change =
            SecureFile.exists(store.path(of: authority))
            ? try SystemStore(store).uninstall(authority) : TrustStore.Change.alreadySo
        tell(change, "uninstalled from the system trust store", done: "👋")
    }

    private static func tell(_ change: TrustStore.Change, _ what: String, done: String) {
        switch change {
        case .done: print("The local CA is now \(what)! \(done)")
        case .alreadySo: print("The local CA is already \(what)! 👍")
        }
    }

    /// `TRUST_STORES` names some; without it all that are known.
    private static func isWanted(_ store: String) -> Bool {
        guard let wanted = MkcertProgram.environment["TRUST_STORES"] else { return true }
        return wanted.split(separator: ",").contains { $0 == store }
    }

    private static func ownStore() throws -> TrustStore {
        guard let own = TrustStore.own(environment: MkcertProgram.environment) else {
            throw SecureFile.Fault(path: "HOME", reason: "is not set; set MARTLET_TRUST to a folder")
        }
        return own
    }

    private static func systemStore() throws -> TrustStore {
        guard let system = TrustStore.system() else {
            throw SecureFile.Fault(path: "/usr/local/share/ca-certificates", reason: "no trust store of a known kind")
        }
        return system
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
