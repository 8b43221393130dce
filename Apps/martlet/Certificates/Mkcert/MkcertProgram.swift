import ArgumentParser
import Certificates
import Glibc

/// mkcert, as its users know it: the same folder, files and fields; see `DevelopmentAuthority`. [MK-1] to [MK-8]
enum MkcertProgram {
    /// Where this program was started under the name mkcert, does what mkcert does and ends.
    static func runIfCalledSo() {
        guard CommandLine.arguments.first?.split(separator: "/").last == "mkcert" else { return }
        do {
            try run(Array(CommandLine.arguments.dropFirst()))
            exit(0)
        } catch let code as ExitCode {
            exit(code.rawValue)
        } catch {
            exit(1)
        }
    }

    static func run(_ words: [String]) throws {
        let arguments: MkcertArguments
        do { arguments = try MkcertArguments(words) } catch {
            Terminal.complain("ERROR: \(error)")
            throw ExitCode(2)
        }
        if arguments.flags.contains("help") || arguments.flags.contains("h") { return print(MkcertArguments.usage) }
        if arguments.flags.contains("version") { return print("v1.4.4 (Martlet)") }
        do { try perform(arguments) } catch let code as ExitCode { throw code } catch {
            Terminal.complain("ERROR: \(error)")
            throw CertsCommand.failed
        }
    }

    static var environment: [String: String] {
        Dictionary(
            ["CAROOT", "XDG_DATA_HOME", "HOME", "MARTLET_TRUST", "TRUST_STORES"].compactMap { name in
                getenv(name).map { (name, String(cString: $0)) }
            }, uniquingKeysWith: { first, _ in first })
    }

    static func root() throws -> String {
        guard let folder = DataFolder.authorityRoot(environment: environment) else {
            throw SecureFile.Fault(
                path: "CAROOT", reason: "failed to find the default CA location, set one as the CAROOT env var")
        }
        return folder
    }

    static func authority(isElliptic: Bool = false) throws -> DevelopmentAuthority {
        var generator = SystemRandomNumberGenerator()
        let authority = try DevelopmentAuthority(
            folder: root(), person: person, isElliptic: isElliptic, now: CertsCommand.now, using: &generator)
        if authority.isNew { Terminal.complain("Created a new local CA 💥") }
        return authority
    }

    private static func perform(_ arguments: MkcertArguments) throws {
        if arguments.flags.contains("CAROOT") { return print(try root()) }
        let isSystem = arguments.flags.contains("system")
        let isInstalling = arguments.flags.contains("install")
        let hasWork = !arguments.names.isEmpty || arguments.values["csr"] != nil
        guard isInstalling || arguments.flags.contains("uninstall") || hasWork else {
            return print(MkcertArguments.usage)
        }
        let authority = try authority(isElliptic: arguments.flags.contains("ecdsa"))
        if arguments.flags.contains("uninstall") {
            return try CertsTrust.uninstall(authority.certificate, isSystem: isSystem)
        }
        if isInstalling {
            try CertsTrust.install(authority.certificate, isSystem: isSystem)
        } else if !CertsTrust.isInstalled(authority.certificate) {
            Terminal.complain(
                """
                Note: the local CA is not installed in the trust store.
                Run "mkcert -install" for certificates to be trusted automatically ⚠️
                """)
        }
        if let request = arguments.values["csr"] { return try sign(request, authority, arguments) }
        if !arguments.names.isEmpty { try issue(authority, arguments) }
    }

    private static func issue(_ authority: DevelopmentAuthority, _ arguments: MkcertArguments) throws {
        let names = try arguments.names.map { text throws(Malformed) in try GeneralName(text) }
        // As they are in the certificate: international names in punycode, in files' names too.
        let written = zip(arguments.names, names).map { text, name in
            if case .dns(let host) = name { host } else { text }
        }
        let isClient = arguments.flags.contains("client")
        let isStore = arguments.flags.contains("pkcs12") || arguments.values["p12-file"] != nil
        var generator = SystemRandomNumberGenerator()
        let (certificate, key) = try authority.issue(
            names: names, person: person, isClient: isClient, isElliptic: arguments.flags.contains("ecdsa"),
            commonName: isStore ? written[0] : nil, now: CertsCommand.now, using: &generator)
        // Folder and all: a wildcard and a colon would be trouble in a file's name.
        var base = "./" + written[0].replacing(":", with: "_").replacing("*", with: "_wildcard")
        if names.count > 1 { base += "+\(names.count - 1)" }
        if isClient { base += "-client" }
        tell(written)
        if isStore {
            let path = arguments.values["p12-file"] ?? base + ".p12"
            let bytes = try PKCS12(certificate: certificate, key: key, authorities: [authority.certificate])
                .encoded(password: "changeit", using: &generator)
            try SecureFile.write(bytes, to: path, mode: SecureFile.open)
            print("\nThe PKCS#12 bundle is at \"\(path)\" ✅")
            print("\nThe legacy PKCS#12 encryption password is the often hardcoded default \"changeit\" ℹ️")
        } else {
            let certificatePath = arguments.values["cert-file"] ?? base + ".pem"
            let keyPath = arguments.values["key-file"] ?? base + "-key.pem"
            if certificatePath == keyPath {
                try SecureFile.write(certificate.pem + key.pem, to: keyPath, mode: SecureFile.secret)
                print("\nThe certificate and key are at \"\(keyPath)\" ✅")
            } else {
                try SecureFile.write(certificate.pem, to: certificatePath, mode: SecureFile.open)
                try SecureFile.write(key.pem, to: keyPath, mode: SecureFile.secret)
                print("\nThe certificate is at \"\(certificatePath)\" and the key at \"\(keyPath)\" ✅")
            }
        }
        tellExpiry(certificate)
    }

    private static func sign(_ path: String, _ authority: DevelopmentAuthority, _ arguments: MkcertArguments) throws {
        let request = try CertificateRequest(file: SecureFile.read(path), name: path)
        var generator = SystemRandomNumberGenerator()
        let certificate = try authority.sign(request, isClient: false, now: CertsCommand.now, using: &generator)
        let names = (certificate.extensions.subjectAlternativeNames ?? []).map { name in
            switch name {
            case .dns(let text), .email(let text), .uri(let text): text
            case .address(let bytes): IPAddress(bytes: bytes)?.description ?? "?"
            default: name.description
            }
        }
        var base = "./" + (names.first ?? "certificate").replacing(":", with: "_").replacing("*", with: "_wildcard")
        if names.count > 1 { base += "+\(names.count - 1)" }
        let out = arguments.values["cert-file"] ?? base + ".pem"
        try SecureFile.write(certificate.pem, to: out, mode: SecureFile.open)
        tell(names)
        print("\nThe certificate is at \"\(out)\" ✅")
        tellExpiry(certificate)
    }

    private static func tell(_ names: [String]) {
        print("\nCreated a new certificate valid for the following names 📜")
        for name in names { print(" - \"\(name)\"") }
        for name in names where name.hasPrefix("*.") && name.split(separator: ".").count == 2 {
            print("   Warning: many browsers don't support second-level wildcards like \"\(name)\" ⚠️")
        }
        if let wildcard = names.first(where: { $0.hasPrefix("*.") }) {
            print(
                "\nReminder: X.509 wildcards only go one level deep, so this won't match a.b.\(wildcard.dropFirst(2)) ℹ️"
            )
        }
    }

    private static func tellExpiry(_ certificate: ParsedCertificate) {
        let months = [
            "January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
            "November",
            "December",
        ]
        let day = certificate.notAfter.calendar
        print("\nIt will expire on \(day.day) \(months[day.month - 1]) \(day.year) 🗓\n")
    }

    /// `user@host (Full Name)`, as far as the machine knows them.
    static var person: String {
        var name = ""
        if let entry = getpwuid(getuid()) {
            let login = String(cString: entry.pointee.pw_name)
            name = login
            var buffer = [CChar](repeating: 0, count: 256)
            if gethostname(&buffer, buffer.count - 1) == 0 {
                name += "@" + String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            }
            let full = entry.pointee.pw_gecos.map { String(cString: $0) }?.prefix { $0 != "," } ?? ""
            if !full.isEmpty, full != login { name += " (\(full))" }
        }
        return name.isEmpty ? "unknown" : String(name.prefix(64))
    }
}
