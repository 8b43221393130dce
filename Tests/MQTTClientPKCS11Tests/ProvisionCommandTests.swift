import Certificates
import MQTTTestKit
import Testing

/// `martlet provision`, with a folder and with a token of its own.
@Suite("martlet provision", .timeLimit(.minutes(10)))
struct ProvisionCommandTests {
    struct Outcome {
        let status: Int32?
        let output: String
        let errors: String
    }

    /// A folder with SoftHSM's configuration, a client's files and a PIN.
    final class Desk {
        let folder = SoftHSM.makeFolder()

        init() throws {
            let client = try Authority.shared.get().client("device-7")
            SoftHSM.write(client.key.pem, to: "\(folder)/device.key")
            SoftHSM.write(try ParsedCertificate(der: client.certificate).pem, to: "\(folder)/device.crt")
            SoftHSM.write(try Authority.shared.get().client("other").key.pem, to: "\(folder)/other.key")
            SoftHSM.write(SoftHSM.pin + "\n", to: "\(folder)/pin")
            SoftHSM.write("1111\n", to: "\(folder)/wrong")
        }

        deinit { SoftHSM.remove(folder) }

        func run(_ words: String, _ more: [String] = []) throws -> Outcome {
            let arguments = words.split(separator: " ").map { String($0).replacing("@", with: folder) } + more
            let program = try Program(
                ["provision"] + arguments,
                through: ["/usr/bin/env", "SOFTHSM2_CONF=\(folder)/softhsm2.conf", "PIN=\(SoftHSM.pin)"])
            let status = program.exitStatus(withinMilliseconds: 60_000)
            return Outcome(status: status, output: program.standardOutput, errors: program.standardError)
        }
    }

    static let places = ["--store @/keys", "--pkcs11-module \(SoftHSM.path) --token device --pin-file @/pin"]

    @Test("import, show, import again, delete", arguments: places)
    func imports(_ place: String) throws {
        let desk = try Desk()
        try SoftHSM.makeToken("device", in: desk.folder)
        let first = try desk.run("import --cert @/device.crt --key @/device.key \(place)")
        #expect(first.status == 0, "\(first.errors)")
        #expect(first.output.contains("private key 'Device Priv TLS Key'"))
        #expect(first.output.contains("certificate 'Device Cert' of CN=device-7"))
        let show = try desk.run("show \(place)")
        #expect(show.output.contains("private key 'Device Priv TLS Key': EC P-256"))
        #expect(show.output.contains("certificate 'Device Cert': CN=device-7"))
        #expect(!show.output.contains("PRIVATE KEY-----") && show.output.contains("BEGIN PUBLIC KEY"))
        let again = try desk.run("import --cert @/device.crt --key @/device.key \(place)")
        #expect(again.status == 1)
        #expect(again.errors.contains("has a private key 'Device Priv TLS Key' already"))
        #expect(try desk.run("import --cert @/device.crt --key @/device.key --force \(place)").status == 0)
        let gone = try desk.run("delete private \(place)", ["Device Priv TLS Key"])
        #expect(gone.status == 0, "\(gone.errors)")
        #expect(try desk.run("show \(place)").errors.contains("has no private key 'Device Priv TLS Key'"))
    }

    @Test("a key made there, its request, and the certificate for it", arguments: places, ["rsa", "p256"])
    func generates(_ place: String, _ kind: String) throws {
        let desk = try Desk()
        try SoftHSM.makeToken("device", in: desk.folder)
        let made = try desk.run("generate --key-type \(kind) \(place)")
        #expect(made.status == 0 && made.output.hasPrefix("-----BEGIN PUBLIC KEY-----"), "\(made.errors)")
        let asked = try desk.run("csr --subject /CN=made --out @/made.csr \(place)")
        #expect(asked.status == 0, "\(asked.errors)")
        let verified = try SoftHSM.run([
            "openssl", "req", "-in", "\(desk.folder)/made.csr", "-noout", "-verify", "-pubkey",
        ])
        #expect(verified == made.output)
        let request = try CertificateRequest(file: SecureFile.read("\(desk.folder)/made.csr"), name: "made.csr")
        let certificate = try ParsedCertificate(der: Authority.shared.get().sign(request))
        SoftHSM.write(certificate.pem, to: "\(desk.folder)/made.crt")
        let put = try desk.run("import --cert @/made.crt \(place)")
        #expect(put.status == 0, "\(put.errors)")
    }

    @Test("a certificate and a key that do not belong together are refused, and nothing is written", arguments: places)
    func mismatch(_ place: String) throws {
        let desk = try Desk()
        try SoftHSM.makeToken("device", in: desk.folder)
        let outcome = try desk.run("import --cert @/device.crt --key @/other.key \(place)")
        #expect(outcome.status == 1)
        #expect(outcome.errors.contains("is not for the private key"))
        #expect(try desk.run("show \(place)").status == 1)
    }

    @Test(
        "what is in the way is one line that says what, where and what to do; exit status 1",
        arguments: [
            (
                "--pkcs11-module /nowhere.so --token device --pin-file @/pin",
                "the PKCS#11 module /nowhere.so cannot be loaded"
            ),
            (
                "--pkcs11-module \(SoftHSM.path) --token nobody --pin-file @/pin",
                "no token with the label 'nobody'. There is 'device'"
            ),
            (
                "--pkcs11-module \(SoftHSM.path) --token device --pin-file @/wrong",
                "the token device refused the PIN from the file"
            ),
            ("--pkcs11-module \(SoftHSM.path) --token device --pin-file @/none", "no PIN from the file"),
            (
                "--pkcs11-module \(SoftHSM.path) --token device --pin-env NO_SUCH",
                "the environment variable NO_SUCH: it is not set"
            ),
            ("--pkcs11-module \(SoftHSM.path) --token device", "no PIN from the terminal"),
            (
                "--pkcs11-module \(SoftHSM.path) --token device --pin-env PIN",
                "has no private key 'Device Priv TLS Key'. There is none"
            ),
            (
                "--pkcs11-uri pkcs11:token=device;foo=1?module-path=\(SoftHSM.path)",
                "the attribute 'foo' is not supported"
            ),
            ("--store @/keys", "has no private key 'Device Priv TLS Key'. There is none at all"),
        ])
    func troubles(_ place: String, _ words: String) throws {
        let desk = try Desk()
        try SoftHSM.makeToken("device", in: desk.folder)
        let outcome = try desk.run("show \(place)")
        #expect(outcome.status == 1)
        #expect(outcome.errors.contains(words), "\(outcome.errors)")
        #expect(outcome.errors.split(separator: "\n").count == 1)
        #expect(!outcome.errors.contains(SoftHSM.pin) && !outcome.errors.contains("1111"))
    }

    @Test("arguments that contradict each other are refused with 64")
    func usage() throws {
        let desk = try Desk()
        for words in [
            "show", "show --store a --pkcs11-module b", "show --store a --token b", "import --store a",
            "show --pkcs11-module a --pin-file b --pin-env c", "generate --store @/a --key-type dsa",
        ] {
            #expect(try desk.run(words).status == 64, "\(words)")
        }
    }

    @Test("tokens are listed")
    func tokens() throws {
        let desk = try Desk()
        try SoftHSM.makeToken("device", in: desk.folder)
        let outcome = try desk.run("tokens \(SoftHSM.path)")
        #expect(outcome.output.hasPrefix("'device': SoftHSM project SoftHSM v2, serial number "))
    }
}
