import ArgumentParser

/// mkcert's command line: flags with one dash or two, `-name value` or `-name=value`, names last.
struct MkcertArguments {
    var flags: Set<String> = []
    var values: [String: String] = [:]
    var names: [String] = []

    private static let knownFlags: Set<String> = [
        "install", "uninstall", "pkcs12", "ecdsa", "client", "help", "h", "CAROOT", "version", "system",
    ]
    private static let knownValues: Set<String> = ["cert-file", "key-file", "p12-file", "csr"]

    struct Wrong: Error, CustomStringConvertible {
        let description: String
    }

    init(_ arguments: [String]) throws {
        var rest = arguments[...]
        while let argument = rest.popFirst() {
            if argument == "--" { break }
            guard argument.hasPrefix("-"), argument.count > 1 else {
                // As Go's flags do it: the first name ends the flags.
                names.append(argument)
                break
            }
            var name = argument.drop { $0 == "-" }[...]
            var value: String?
            if let equals = name.firstIndex(of: "=") {
                value = String(name[name.index(after: equals)...])
                name = name[..<equals]
            }
            let key = String(name)
            if Self.knownFlags.contains(key) {
                if value == nil || value == "true" { flags.insert(key) }
            } else if Self.knownValues.contains(key) {
                guard let given = value ?? rest.popFirst() else {
                    throw Wrong(description: "flag needs an argument: -\(key)")
                }
                values[key] = given
            } else {
                throw Wrong(description: "flag provided but not defined: -\(key)")
            }
        }
        names += rest
        try check()
    }

    private func check() throws {
        if flags.contains("install"), flags.contains("uninstall") {
            throw Wrong(description: "you can't set -install and -uninstall at the same time")
        }
        let others = ["pkcs12", "ecdsa", "client"].contains { flags.contains($0) }
        if values["csr"] != nil, others || values["key-file"] != nil || values["p12-file"] != nil {
            throw Wrong(description: "can only combine -csr with -install and -cert-file")
        }
        if values["csr"] != nil, !names.isEmpty {
            throw Wrong(description: "can't specify extra arguments when using -csr")
        }
    }

    static let usage = """
        Usage of mkcert:

        	$ mkcert -install
        	Install the local CA in the trust store (ours; with -system the machine's).

        	$ mkcert example.org
        	Generate "example.org.pem" and "example.org-key.pem".

        	$ mkcert example.com myapp.dev localhost 127.0.0.1 ::1
        	Generate "example.com+4.pem" and "example.com+4-key.pem".

        	$ mkcert "*.example.it"
        	Generate "_wildcard.example.it.pem" and "_wildcard.example.it-key.pem".

        	$ mkcert -uninstall
        	Uninstall the local CA (but do not delete it).

        Advanced options:

        	-cert-file FILE, -key-file FILE, -p12-file FILE
        	    Customize the output paths.

        	-client
        	    Generate a certificate for client authentication.

        	-ecdsa
        	    Generate a certificate with an ECDSA key.

        	-pkcs12
        	    Generate a ".p12" PKCS #12 file, also known as a ".pfx" file.

        	-csr CSR
        	    Generate a certificate based on the supplied CSR. Conflicts with
        	    all other flags and arguments except -install and -cert-file.

        	-CAROOT
        	    Print the CA certificate and key storage location.

        	-system
        	    With -install and -uninstall: the machine's trust store (by sudo), and
        	    those of Firefox and Chromium where certutil is there.

        	$CAROOT (environment variable)
        	    Set the CA certificate and key storage location.

        	$TRUST_STORES (environment variable)
        	    A comma-separated list of trust stores for -system: "system" and "nss".

        """
}

/// `martlet certs mkcert`: mkcert's arguments, for those who have no link of that name.
struct CertsMkcertCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "mkcert", abstract: "Do what mkcert does, with its arguments.",
        discussion: "Example:    martlet certs mkcert -cert-file cert.pem -key-file key.pem localhost")

    @Argument(parsing: .captureForPassthrough, help: "mkcert's arguments.")
    var arguments: [String] = []

    func run() throws { try MkcertProgram.run(arguments) }
}
