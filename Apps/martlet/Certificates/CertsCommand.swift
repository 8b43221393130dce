import ArgumentParser
import Certificates
import Glibc

/// `martlet certs`: keys, an authority of one's own, what it issues and takes back, and other programs' formats.
struct CertsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "certs",
        abstract: "Make keys and certificates, check them, convert them, take them back.",
        discussion: """
            From nothing to mutual TLS:
              martlet certs ca                                       ca.crt, ca.key
              martlet certs server broker.example 127.0.0.1          server.crt, server.key
              martlet certs client sensor1                           sensor1.crt, sensor1.key
              martlet certs verify server.crt --cafile ca.crt --host broker.example
              martlet certs revoke sensor1.crt                       ca.crl, for the listener's crlfile

            With the key made elsewhere:      martlet certs csr, then martlet certs sign
            Everything of a course at once:   martlet certs demo-set DIR
            As mkcert:                        call the program mkcert (a link), or martlet certs mkcert

            Private keys are written readable by you alone. Passphrases come from a prompt, a file or an environment
            variable, never from the command line. Nothing is overwritten without --force.

            Exit status: 0 fine, 1 it did not work, 64 the command line is wrong.
            """,
        subcommands: [
            CertsAuthorityCommand.self, CertsServerCommand.self, CertsClientCommand.self, CertsKeyCommand.self,
            CertsRequestCommand.self, CertsSignCommand.self, CertsInspectCommand.self, CertsVerifyCommand.self,
            CertsRevokeCommand.self, CertsConvertCommand.self, CertsPKCS12Command.self, CertsHexCommand.self,
            CertsDemoSetCommand.self, CertsInstallCommand.self, CertsUninstallCommand.self, CertsRootCommand.self,
            CertsMkcertCommand.self,
        ])

    static let failed = ExitCode(1)

    /// Does `body`; whatever goes wrong is one line on standard error and exit status 1.
    static func reporting<T>(_ body: () throws -> T) throws -> T {
        do {
            return try body()
        } catch let code as ExitCode {
            throw code
        } catch let error as ValidationError {
            throw error
        } catch {
            Terminal.complain("Error: \(error)")
            throw failed
        }
    }

    static var now: Timestamp {
        var moment = timespec()
        clock_gettime(CLOCK_REALTIME, &moment)
        return Timestamp(seconds: Int64(moment.tv_sec))
    }

    /// Writes, or stops where something is there already.
    static func write(_ text: String, to path: String, mode: UInt32, force: Bool) throws {
        try requireFree(path, force: force)
        try SecureFile.write(text, to: path, mode: mode)
    }

    static func requireFree(_ path: String, force: Bool) throws {
        guard force || !SecureFile.exists(path) else {
            throw SecureFile.Fault(path: path, reason: "is there already; with --force it is replaced")
        }
    }

    /// Certificates end before the year 10000.
    static let daysMax = 1_000_000

    static func requireDays(_ days: Int) throws {
        guard 1...daysMax ~= days else { throw ValidationError("--days is 1 to \(daysMax).") }
    }

    static func certificates(_ path: String) throws -> [ParsedCertificate] {
        try PEMBundle.certificates(in: try SecureFile.read(path), file: path)
    }
}
