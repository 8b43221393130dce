import Certificates
import NIOCore
import NIOSSL

#if canImport(Darwin)
import Darwin
#elseif canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// A `ClientTLS` made ready for one connection: files read, ciphers understood, key and certificate found to fit.
struct ClientTLSContext: Sendable {
    private let context: NIOSSLContext
    private let serverName: String?
    /// Nil where nothing is verified, or where the platform does it.
    private let verifier: ChainVerifier?

    /// How long a server may take to answer close_notify.
    private static let shutdownTimeout = TimeAmount.seconds(2)

    /// Reads files, so never on a loop.
    init(_ tls: ClientTLS, host: String) throws(SettingFault) {
        guard tls.minimumVersion == .tls12 || tls.maximumVersion == .tls13 else {
            throw SettingFault(key: "TLS version", value: "1.2 at most", reason: "but 1.3 at least")
        }
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.minimumTLSVersion = tls.minimumVersion == .tls12 ? .tlsv12 : .tlsv13
        configuration.maximumTLSVersion = tls.maximumVersion == .tls12 ? .tlsv12 : .tlsv13
        configuration.shutdownTimeout = Self.shutdownTimeout
        configuration.applicationProtocols = try Self.protocols(tls)
        let name = tls.serverName ?? host
        verifier = try Self.verifier(tls, name: name)
        if verifier != nil { configuration.trustRoots = .certificates([]) }
        configuration.certificateVerification =
            switch tls.verification {
            case .nothing: .none
            case .anyHostName: .noHostnameVerification
            // Our own verifier sees to the name.
            case .full: verifier == nil ? .fullVerification : .noHostnameVerification
            }
        try Self.preSharedKey(tls, &configuration)
        configuration.cipherSuites = try Self.ciphers(tls)
        if let identity = tls.identity {
            let loaded = try identity.load()
            configuration.certificateChain = loaded.certificates.map { .certificate($0) }
            configuration.privateKey = .privateKey(loaded.key)
        }
        if let path = tls.keyLogFile {
            let log = try KeyLog(path: path)
            configuration.keyLogCallback = { log.write($0) }
        }
        do { context = try NIOSSLContext(configuration: configuration) } catch {
            throw SettingFault(key: "TLS", value: host, reason: TLSFailure.token(of: error) ?? "\(error)")
        }
        serverName = Self.indication(name)
    }

    /// The handler for one connection; it tells `opening` its verdict over the server.
    func handler(_ opening: Opening) throws -> NIOSSLClientHandler {
        guard let verifier else { return try NIOSSLClientHandler(context: context, serverHostname: serverName) }
        return try NIOSSLClientHandler(context: context, serverHostname: serverName) { chain, promise in
            let chain = chain.compactMap { try? $0.toDERBytes() }
            switch verifier.verify(chain: chain, at: Timestamp(seconds: Int64(time(nil)))) {
            case .success: promise.succeed(.certificateVerified)
            case .failure(let refusal):
                opening.refuse(refusal)
                promise.succeed(.failed)
            }
        }
    }

    // MARK: Parts

    private static func verifier(_ tls: ClientTLS, name: String) throws(SettingFault) -> ChainVerifier? {
        guard tls.verification != .nothing, !tls.trust.needsPlatform else { return nil }
        var lists: [CertificateRevocationList]?
        if let path = tls.revocationListFile {
            let bytes = try SmallFile.read(path, key: "CRL file")
            do { lists = try PEMBundle.revocationLists(in: bytes, file: path) } catch {
                throw SettingFault(key: "CRL file", value: path, reason: error.reason)
            }
        }
        return ChainVerifier(
            anchors: try tls.trust.certificates(), revocationLists: lists,
            options: .init(
                purpose: .server, hostName: tls.verification == .full ? HostName(name) : nil, pinsLeaf: true))
    }

    /// Server Name Indication carries names, never addresses, and no closing dot. RFC 6066 §3
    private static func indication(_ name: String) -> String? {
        guard (try? SocketAddress(ipAddress: name, port: 0)) == nil else { return nil }
        let name = name.hasSuffix(".") ? String(name.dropLast()) : name
        return (1...255).contains(name.utf8.count) && !name.utf8.contains(0) ? name : nil
    }

    private static func protocols(_ tls: ClientTLS) throws(SettingFault) -> [String] {
        for name in tls.applicationProtocols where !(1...255).contains(name.utf8.count) {
            throw SettingFault(key: "ALPN", value: name, reason: "a protocol's name has 1 to 255 bytes")
        }
        return tls.applicationProtocols
    }

    private static func preSharedKey(
        _ tls: ClientTLS, _ configuration: inout TLSConfiguration
    ) throws(SettingFault) {
        guard let shared = tls.preSharedKey else { return }
        guard (1...PreSharedKeys.identityBytesMax).contains(shared.identity.utf8.count) else {
            throw SettingFault(
                key: "PSK identity", value: shared.identity,
                reason: "it has 1 to \(PreSharedKeys.identityBytesMax) bytes")
        }
        guard (1...PreSharedKeys.keyBytesMax).contains(shared.key.bytes.count) else {
            throw SettingFault(
                key: "PSK", value: "of \(shared.identity)", reason: "it has 1 to \(PreSharedKeys.keyBytesMax) bytes")
        }
        guard tls.minimumVersion == .tls12 else {
            throw SettingFault(
                key: "TLS version", value: "1.3 at least", reason: "pre-shared keys are spoken with TLS 1.2 only")
        }
        configuration.maximumTLSVersion = .tlsv12
        configuration.pskClientProvider = { _ in
            PSKClientIdentityResponse(key: NIOSSLSecureBytes(shared.key.bytes), identity: shared.identity)
        }
    }

    private static func ciphers(_ tls: ClientTLS) throws(SettingFault) -> String {
        if let text = tls.ciphers {
            let list = try CipherList(text, key: "cipher list")
            guard tls.preSharedKey == nil || list.hasPreSharedKeys || !tls.trust.sources.isEmpty else {
                throw SettingFault(
                    key: "cipher list", value: text,
                    reason: "no cipher suite with a pre-shared key is in it; ECDHE-PSK-CHACHA20-POLY1305 is one")
            }
            return list.joined
        }
        guard tls.preSharedKey != nil else { return CipherList.usual }
        return tls.trust.sources.isEmpty ? CipherList.preShared : CipherList.preShared + ":" + CipherList.usual
    }
}
