import Certificates

#if canImport(Darwin)
import Darwin
#elseif canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

extension TrustRoots {
    /// Whether the platform itself must judge: Apple's systems keep their roots to themselves.
    var needsPlatform: Bool {
        #if canImport(Darwin)
        return sources == [.system]
        #else
        return false
        #endif
    }

    /// Every certificate of every source. Reads files.
    func certificates() throws(SettingFault) -> [ParsedCertificate] {
        var all: [ParsedCertificate] = []
        for source in sources {
            switch source {
            case .system: all += try Self.systemCertificates()
            case .file(let path): all += try Self.readable(path, "CA file")
            case .folder(let path):
                let found = try AuthorityFiles.certificates(folder: path, key: "CA folder").flatMap(\.certificates)
                guard !found.isEmpty else {
                    throw SettingFault(
                        key: "CA folder", value: path,
                        reason: "there is no certificate in it: a file that ends in .pem, .crt or .cer")
                }
                all += found
            case .bytes(let bytes):
                do { all += try PEMBundle.certificates(in: bytes, file: "the CA certificates") } catch {
                    throw SettingFault(key: "CA certificates", value: "in memory", reason: error.reason)
                }
            }
        }
        return all
    }

    private static func readable(_ path: String, _ key: String) throws(SettingFault) -> [ParsedCertificate] {
        let bytes = try SmallFile.read(path, key: key)
        do { return try PEMBundle.certificates(in: bytes, file: path) } catch {
            let place = error.line.map { "line \($0): " } ?? ""
            throw SettingFault(key: key, value: path, reason: place + error.reason)
        }
    }

    // MARK: The system's

    /// Where Debian, Fedora, SUSE, OpenBSD and macOS have them in one file.
    private static let bundles = [
        "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem",
        "/etc/ssl/cert.pem",
    ]

    /// As OpenSSL does: `SSL_CERT_FILE` if it is set, else the system's bundle. What we cannot read of it is left out: it is
    /// not the user's to mend.
    private static func systemCertificates() throws(SettingFault) -> [ParsedCertificate] {
        let chosen = getenv("SSL_CERT_FILE").map { String(cString: $0) }
        guard let path = chosen ?? bundles.first(where: { access($0, R_OK) == 0 }) else {
            throw SettingFault(
                key: "CA file", value: "of the system",
                reason: "there is none; install ca-certificates, or name a CA file")
        }
        let bytes = try SmallFile.read(path, key: "CA file")
        do {
            return try PEMBundle(bytes, file: path).blocks.compactMap { try? ParsedCertificate(der: $0.der) }
        } catch {
            throw SettingFault(key: "CA file", value: path, reason: error.reason)
        }
    }
}
