import ArgumentParser

/// `martlet provision`: a device's key and certificate into a token or a folder.
struct ProvisionCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "provision",
        abstract: "Put a device's key and certificate into a token, or a folder.",
        discussion: """
            Import both:              martlet provision import --cert device.crt --key device.key --root ca.crt --store keys
            Make the key there:       martlet provision generate --key-type p256 --store keys
            Ask for a certificate:    martlet provision csr --subject /CN=device-7 --store keys > device.csr
                                      martlet certs sign device.csr --client --out device.crt
                                      martlet provision import --cert device.crt --store keys
            See what is there:        martlet provision show --store keys
            Which tokens there are:   martlet provision tokens /usr/lib/softhsm/libsofthsm2.so

            With a token instead of a folder: --pkcs11-module PATH --token LABEL, and its PIN from --pin-file, --pin-env or
            the terminal. A key that was made in a token never leaves it. The objects get corePKCS11's labels. Nothing
            is replaced without --force.

            Exit status: 0 fine, 1 it did not work, 64 the command line is wrong.
            """,
        subcommands: [
            ProvisionImportCommand.self, ProvisionGenerateCommand.self, ProvisionRequestCommand.self,
            ProvisionShowCommand.self, ProvisionDeleteCommand.self, ProvisionTokensCommand.self,
        ])
}
