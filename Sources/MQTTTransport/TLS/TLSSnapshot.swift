import Certificates
import NIOConcurrencyHelpers
import NIOCore
import NIOSSL

#if canImport(Darwin)
import Darwin
#elseif canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Everything one listener's TLS needs, read and checked once: certificate, key, trust, ciphers, pre-shared keys. It does not
/// change; a reload makes another one, and connections that are there keep theirs.
package final class TLSSnapshot: Sendable {
    /// What does not stop it, and the operator should know: key and remark.
    package let remarks: [SettingFault]

    /// What of it runs out, and when.
    package let documents: [DatedDocument]
    /// Stands for all that decides who comes in: where it is the same, nobody has to be judged again.
    package let trust: Trust

    let verifier: ChainVerifier?
    /// The verifier for those who are here already.
    let secondLook: ChainVerifier?
    let preSharedKeys: PreSharedKeys?
    private let context: Context
    /// Chains of clients that may resume: a resumed handshake brings no certificates, and must be judged like any other.
    private let resumable = NIOLockedValueBox<[[UInt8]: [[UInt8]]]>([:])
    private static let resumableMax = 4096

    package struct Trust: Sendable, Equatable {
        var requiresCertificate = false
        var anchors: [ParsedCertificate] = []
        var lists: [[UInt8]]?
        var keys: PreSharedKeys?
    }

    private enum Context: Sendable {
        case shared(NIOSSLContext)
        /// With pre-shared keys each connection has its own, so that its identity is known.
        case perConnection(TLSConfiguration, PreSharedKeys)
    }

    /// How long a peer may take to answer close_notify.
    private static let shutdownTimeout = TimeAmount.seconds(2)

    /// Reads the files; throws with the key that is to blame.
    package init(_ settings: TLSSettings, passphrase: [UInt8]? = nil, keyLog: KeyLog? = nil) throws(SettingFault) {
        var remarks: [SettingFault] = []
        var documents: [DatedDocument] = []
        var tls = TLSConfiguration.makePreSharedKeyConfiguration()
        tls.minimumTLSVersion = settings.requiresTLS13 ? .tlsv13 : .tlsv12
        tls.maximumTLSVersion = settings.pskHint == nil ? .tlsv13 : .tlsv12
        tls.shutdownTimeout = Self.shutdownTimeout
        tls.trustRoots = .certificates([])
        tls.additionalTrustRoots = []
        tls.applicationProtocols = []
        tls.cipherSuites = try Self.ciphers(settings, &remarks)
        if let certificateFile = settings.certificateFile, let keyFile = settings.keyFile {
            let chain = try Self.chain(certificateFile)
            documents += DatedDocument.certificates(chain.parsed, .certificate, certificateFile)
            tls.certificateChain = chain.certificates.map { .certificate($0) }
            tls.privateKey = .privateKey(try Self.privateKey(keyFile, passphrase))
        }
        var (trust, lists) = try Self.trust(settings, &documents)
        verifier = Self.verifier(settings, trust.anchors, lists)
        secondLook = verifier.map { verifier in
            var second = verifier
            second.options.checksDates = false
            second.options.needsValidLists = false
            return second
        }
        tls.certificateVerification = verifier == nil ? .none : .noHostnameVerification
        if let keyLog { tls.keyLogCallback = { keyLog.write($0) } }
        if let folder = settings.authorityFolder, settings.requiresCertificate, trust.anchors.isEmpty {
            let reason = "no authority in it, so no client's certificate is good; names end in .pem, .crt or .cer"
            remarks.append(SettingFault(key: "capath", value: folder, reason: reason))
        }
        if settings.pskHint != nil, let file = settings.pskFile, SmallFile.isReadableByAll(file) {
            let reason = "everybody on this machine can read it: chmod 0640 \(file)"
            remarks.append(SettingFault(key: "psk_file", value: file, reason: reason))
        }
        self.remarks = remarks

        if let hint = settings.pskHint {
            tls.pskHint = hint.isEmpty ? nil : hint
            let keys: PreSharedKeys
            if let file = settings.pskFile {
                keys = try PreSharedKeys(file: file)
            } else {
                throw SettingFault(
                    key: "psk_hint", value: hint, reason: "there is no psk_file with identities and keys")
            }
            context = .perConnection(tls, keys)
            trust.keys = keys
            _ = try Self.makeContext(tls, settings)
        } else {
            context = .shared(try Self.makeContext(tls, settings))
        }
        preSharedKeys = trust.keys
        self.documents = documents
        self.trust = trust
    }

    // MARK: Connections

    /// What one connection needs.
    package func makeStage() throws -> TLSStage {
        let proof = PeerProof(self)
        let context: NIOSSLContext
        switch self.context {
        case .shared(let shared): context = shared
        case .perConnection(var tls, let keys):
            tls.pskServerProvider = { offered in
                guard let key = keys[offered.clientIdentity] else { throw PeerProof.UnknownIdentity() }
                proof.comesWith(identity: offered.clientIdentity, key: key)
                return PSKServerIdentityResponse(key: NIOSSLSecureBytes(key))
            }
            context = try NIOSSLContext(configuration: tls)
        }
        guard verifier != nil else { return TLSStage(NIOSSLServerHandler(context: context), proof) }
        let handler = NIOSSLServerHandler(context: context) { chain, promise in
            promise.succeed(proof.judge(chain) ? .certificateVerified : .failed)
        }
        return TLSStage(handler, proof)
    }

    func remember(_ chain: [[UInt8]]) {
        guard chain.count > 1 else { return }
        resumable.withLockedValue { chains in
            if chains.count >= Self.resumableMax, let any = chains.keys.first { chains.removeValue(forKey: any) }
            chains[chain[0]] = chain
        }
    }

    /// What came with this leaf when it was shown.
    func remembered(leaf: [UInt8]) -> [[UInt8]] { resumable.withLockedValue { $0[leaf] } ?? [leaf] }

    // MARK: Reading

    private static func makeContext(_ tls: TLSConfiguration, _ settings: TLSSettings) throws(SettingFault)
        -> NIOSSLContext
    {
        do { return try NIOSSLContext(configuration: tls) } catch {
            // Each part has been read already: what is left is that key and certificate do not belong together.
            var reason = "it cannot be used with its certificate: \(TLSFailure.token(of: error) ?? "\(error)")"
            if case NIOSSLError.failedToLoadPrivateKey = error {
                reason = "it is not the key of the certificate in \(settings.certificateFile ?? "certfile")"
            }
            throw SettingFault(key: "keyfile", value: settings.keyFile ?? "", reason: reason)
        }
    }

    private static func ciphers(_ settings: TLSSettings, _ remarks: inout [SettingFault]) throws(SettingFault) -> String
    {
        if let text = settings.ciphersTLS13 {
            let others = try TLS13CipherList.unavoidable(in: text)
            if !others.isEmpty {
                remarks.append(
                    SettingFault(
                        key: "ciphers_tls1.3", value: text,
                        reason:
                            "\(others.joined(separator: ", ")) stay on offer: the TLS library always offers its three"))
            }
        }
        guard let text = settings.ciphers else {
            return settings.pskHint == nil ? CipherList.usual : CipherList.preShared + ":" + CipherList.usual
        }
        let list = try CipherList(text)
        if !list.notOffered.isEmpty {
            remarks.append(
                SettingFault(
                    key: "ciphers", value: text,
                    reason:
                        "the TLS library does not have \(list.notOffered.joined(separator: ", ")); the others are used")
            )
        }
        if settings.pskHint != nil, settings.certificateFile == nil, !list.hasPreSharedKeys {
            throw SettingFault(
                key: "ciphers", value: text,
                reason: "no cipher suite with a pre-shared key is in it; ECDHE-PSK-CHACHA20-POLY1305 is one")
        }
        return list.joined
    }

    private static func chain(
        _ path: String
    ) throws(SettingFault) -> (certificates: [NIOSSLCertificate], parsed: [ParsedCertificate]) {
        let bytes = try SmallFile.read(path, key: "certfile")
        var chain: [NIOSSLCertificate] = []
        var parsed: [ParsedCertificate] = []
        do {
            parsed = try PEMBundle.certificates(in: bytes, file: path)
            for certificate in parsed {
                chain.append(try NIOSSLCertificate(bytes: certificate.der, format: .der))
            }
        } catch {
            throw SettingFault(key: "certfile", value: path, reason: (error as? PEMBundle.Fault)?.words ?? "\(error)")
        }
        guard !chain.isEmpty else {
            throw SettingFault(key: "certfile", value: path, reason: "there is no PEM certificate in it")
        }
        return (chain, parsed)
    }

    private static func privateKey(_ path: String, _ passphrase: [UInt8]?) throws(SettingFault) -> NIOSSLPrivateKey {
        let bytes = try SmallFile.read(path, key: "keyfile")
        let isEncrypted = KeyPassphrase.isNeeded(keyFile: path)
        if isEncrypted, passphrase == nil {
            throw SettingFault(
                key: "keyfile", value: path,
                reason: "it is encrypted, and there is nobody to ask for the passphrase; name a file with it behind "
                    + "keyfile_password_file")
        }
        do {
            guard let passphrase, isEncrypted else { return try NIOSSLPrivateKey(bytes: bytes, format: .pem) }
            return try NIOSSLPrivateKey(bytes: bytes, format: .pem) { set in set(passphrase) }
        } catch {
            throw SettingFault(
                key: "keyfile", value: path,
                reason: isEncrypted ? "the passphrase is wrong" : "there is no PEM private key in it that can be read")
        }
    }

    /// Reads whom to trust, and who was taken back, whether or not anybody is asked for a certificate.
    private static func trust(
        _ settings: TLSSettings, _ documents: inout [DatedDocument]
    ) throws(SettingFault) -> (Trust, [CertificateRevocationList]?) {
        var anchors: [ParsedCertificate] = []
        if let file = settings.authorityFile {
            anchors += try AuthorityFiles.certificates(file: file, key: "cafile")
            documents += DatedDocument.certificates(anchors, .authority, file)
        }
        if let folder = settings.authorityFolder {
            for (path, found) in try AuthorityFiles.certificates(folder: folder, key: "capath") {
                documents += DatedDocument.certificates(found, .authority, path)
                anchors += found
            }
        }
        var trust = Trust(requiresCertificate: settings.requiresCertificate, anchors: anchors)
        var lists: [CertificateRevocationList]?
        if let file = settings.revocationListFile {
            let bytes = try SmallFile.read(file, key: "crlfile")
            do {
                let found = try PEMBundle.revocationLists(in: bytes, file: file)
                documents += DatedDocument.lists(found, file)
                trust.lists = found.map(\.der)
                lists = found
            } catch {
                throw SettingFault(key: "crlfile", value: file, reason: error.words)
            }
        }
        return (trust, lists)
    }

    private static func verifier(
        _ settings: TLSSettings, _ anchors: [ParsedCertificate], _ lists: [CertificateRevocationList]?
    ) -> ChainVerifier? {
        guard settings.requiresCertificate else { return nil }
        return ChainVerifier(
            anchors: anchors, revocationLists: lists,
            options: .init(purpose: .client, checksDates: settings.checksClientDates))
    }
}
