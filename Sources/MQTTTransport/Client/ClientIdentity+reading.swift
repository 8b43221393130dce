import Certificates
import NIOSSL

extension ClientIdentity {
    /// What a TLS context takes.
    struct Loaded {
        let certificates: [NIOSSLCertificate]
        let key: NIOSSLPrivateKey
    }

    /// Reads what is to be read, and makes sure that key and certificate belong together. Names the file that is to blame.
    func load() throws(SettingFault) -> Loaded {
        switch source {
        case .files(let certificate, let key, let password):
            let chain = try SmallFile.read(certificate, key: Part.certificate)
            let secret = key == certificate ? chain : try SmallFile.read(key, key: Part.key)
            return try Self.pair(chain, certificate, secret, key, password)
        case .bytes(let certificate, let key, let password):
            return try Self.pair(certificate, Part.inMemory, key, Part.inMemory, password)
        case .pkcs12File(let path, let password):
            return try Self.pkcs12(try SmallFile.read(path, key: Part.pkcs12), path, password)
        case .pkcs12(let bytes, let password): return try Self.pkcs12(bytes, Part.inMemory, password)
        case .signer(let key, let certificates):
            guard !certificates.isEmpty else {
                throw SettingFault(key: Part.certificate, value: "of the key", reason: "there is none")
            }
            let parsed = try certificates.enumerated().map { index, der throws(SettingFault) in
                do { return try ParsedCertificate(der: der) } catch {
                    throw SettingFault(key: Part.certificate, value: "number \(index + 1)", reason: "\(error)")
                }
            }
            return Loaded(
                certificates: try Self.offered(parsed, "of the key"), key: NIOSSLPrivateKey(customPrivateKey: key))
        }
    }

    private enum Part {
        static let certificate = "client certificate"
        static let key = "client key"
        static let pkcs12 = "PKCS#12 file"
        static let inMemory = "in memory"
    }

    private static func pair(
        _ chain: [UInt8], _ chainName: String, _ secret: [UInt8], _ keyName: String, _ password: Secret?
    ) throws(SettingFault) -> Loaded {
        let certificates: [ParsedCertificate]
        do { certificates = try PEMBundle.certificates(in: chain, file: chainName) } catch {
            let isBundle = !PEMBundle.isPEM(chain) && PKCS12.isOne(chain)
            throw SettingFault(
                key: Part.certificate, value: chainName,
                reason: isBundle ? "it is PKCS#12: name it as that, with its password" : error.reason)
        }
        let key: PrivateKey
        do { key = try PrivateKey(file: secret, name: keyName, passphrase: password?.text) } catch {
            throw SettingFault(key: Part.key, value: keyName, reason: words(error))
        }
        return try joined(certificates, chainName, key, keyName)
    }

    private static func pkcs12(_ bytes: [UInt8], _ name: String, _ password: Secret) throws(SettingFault) -> Loaded {
        let contents: PKCS12.Contents
        do { contents = try PKCS12.read(bytes, password: password.text) } catch {
            let reason = error == .wrongPassphrase ? "the password is wrong" : "\(error)"
            throw SettingFault(key: Part.pkcs12, value: name, reason: reason)
        }
        guard let key = contents.key else {
            throw SettingFault(key: Part.pkcs12, value: name, reason: "there is no private key in it")
        }
        guard !contents.certificates.isEmpty else {
            throw SettingFault(key: Part.pkcs12, value: name, reason: "there is no certificate in it")
        }
        return try joined(contents.certificates, name, key, name)
    }

    private static func words(_ fault: KeyFault) -> String {
        switch fault {
        case .passphraseNeeded: "it is encrypted, and no password was given"
        case .wrongPassphrase: "the password is wrong"
        default: "\(fault)"
        }
    }

    private static func joined(
        _ certificates: [ParsedCertificate], _ chainName: String, _ key: PrivateKey, _ keyName: String
    ) throws(SettingFault) -> Loaded {
        guard let publicKey = try? key.publicKey, let own = certificates.first, own.publicKey == publicKey else {
            throw SettingFault(
                key: Part.key, value: keyName, reason: "it is not the key of the first certificate in \(chainName)")
        }
        do {
            return Loaded(
                certificates: try offered(certificates, chainName),
                key: try NIOSSLPrivateKey(bytes: key.pkcs8, format: .der))
        } catch let fault as SettingFault {
            throw fault
        } catch {
            throw SettingFault(key: Part.key, value: keyName, reason: "the TLS library does not take it: \(error)")
        }
    }

    private static func offered(
        _ certificates: [ParsedCertificate], _ name: String
    ) throws(SettingFault) -> [NIOSSLCertificate] {
        do { return try certificates.map { try NIOSSLCertificate(bytes: $0.der, format: .der) } } catch {
            throw SettingFault(
                key: Part.certificate, value: name, reason: "the TLS library does not take it: \(error)")
        }
    }
}
