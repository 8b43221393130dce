import ArgumentParser
import Certificates
import MQTTClientPKCS11

/// Where a device's key and certificate are: a token, or a folder.
struct StoreOptions: ParsableArguments {
    @Option(help: "A folder, for machines without a token.")
    var store: String?

    @Option(
        name: .customLong("pkcs11-module"), help: "The token's PKCS#11 module, such as /usr/lib/softhsm/libsofthsm2.so."
    )
    var module: String?

    @Option(help: "The token's label; may be left out where there is only one.")
    var token: String?

    @Option(
        name: .customLong("pkcs11-uri"),
        help: "Token, object, module and PIN file in one: pkcs11:token=…;object=…?module-path=….")
    var uri: String?

    @Option(help: "Read the token's PIN from this file (its first line).")
    var pinFile: String?

    @Option(help: "Read the token's PIN from this environment variable.")
    var pinEnv: String?

    func validate() throws {
        guard (store != nil) != (module != nil || uri != nil) else {
            throw ValidationError(
                "Give --store DIR for a folder, or --pkcs11-module PATH or --pkcs11-uri URI for a token.")
        }
        if store != nil, token != nil || pinFile != nil || pinEnv != nil {
            throw ValidationError("--token, --pin-file and --pin-env belong to a token; --store is a folder.")
        }
        if uri != nil, token != nil {
            throw ValidationError("--pkcs11-uri names the token already; leave --token out.")
        }
        if pinFile != nil, pinEnv != nil { throw ValidationError("Give --pin-file or --pin-env, not both.") }
    }

    /// The store, and what a URI says of the private key.
    func open() throws -> (store: any KeyStore, key: ObjectReference?) {
        if let store { return (FileKeyStore(store), nil) }
        var place = KeyPlace(pin: pin)
        (place.module, place.token, place.uri) = (module, token, uri)
        let (found, key) = try place.open()
        return (found, key)
    }

    /// Asked for at the terminal where no option says otherwise.
    private var pin: PINSource {
        if let pinFile { return .file(pinFile) }
        if let pinEnv { return .environment(pinEnv) }
        return .question { Terminal.askSecretly("PIN of the token '\($0)': ") }
    }

    /// Does `body`; whatever goes wrong is one line on standard error and exit status 1.
    static func reporting<T>(_ body: () async throws -> T) async throws -> T {
        do {
            return try await body()
        } catch let code as ExitCode {
            throw code
        } catch let error as ValidationError {
            throw error
        } catch {
            Terminal.complain("Error: \(error)")
            throw CertsCommand.failed
        }
    }
}

/// The labels of a device's objects; corePKCS11's unless told.
struct LabelOptions: ParsableArguments {
    @Option(help: "The private key's label.")
    var keyLabel: String?

    @Option(help: "The public key's label.")
    var publicKeyLabel = DeviceLabel.publicKey.rawValue

    @Option(help: "The certificate's label.")
    var certLabel = DeviceLabel.certificate.rawValue

    @Option(help: "The label of the issuer's certificate, which is sent behind the device's.")
    var issuerLabel = DeviceLabel.issuerCertificate.rawValue

    @Option(help: "The label of the certificate that servers are trusted by.")
    var rootLabel = DeviceLabel.rootCertificate.rawValue

    /// - Parameter named: what a URI says.
    func key(_ named: ObjectReference?) -> ObjectReference {
        keyLabel.map { .label($0) } ?? named ?? .label(.privateKey)
    }

    /// Of a key that is put in.
    func pair(_ named: ObjectReference?) -> KeyLabels {
        KeyLabels(
            privateKey: keyLabel ?? named?.label ?? DeviceLabel.privateKey.rawValue, publicKey: publicKeyLabel)
    }
}
