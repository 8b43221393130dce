import Certificates

/// Certificates of authorities as files and folders hold them.
enum AuthorityFiles {
    /// PEM, several if there are several, or one in DER; at least one.
    static func certificates(file path: String, key: String) throws(SettingFault) -> [ParsedCertificate] {
        let bytes = try SmallFile.read(path, key: key)
        do { return try PEMBundle.certificates(in: bytes, file: path) } catch {
            throw SettingFault(key: key, value: path, reason: error.words)
        }
    }

    /// Each file of a folder that is named as one of certificates.
    static func certificates(
        folder: String, key: String
    ) throws(SettingFault) -> [(path: String, certificates: [ParsedCertificate])] {
        var all: [(String, [ParsedCertificate])] = []
        for name in try SmallFile.names(in: folder, key: key) where isCertificateName(name) {
            let path = folder + "/" + name
            all.append((path, try certificates(file: path, key: key)))
        }
        return all
    }

    /// `.pem`, `.crt`, `.cer`, or a link as `openssl rehash` makes them: eight hexadecimal digits, a point, a number.
    private static func isCertificateName(_ name: String) -> Bool {
        if [".pem", ".crt", ".cer"].contains(where: { name.hasSuffix($0) }) { return true }
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 2 && parts[0].utf8.count == 8 && parts[0].allSatisfy(\.isHexDigit) && Int(parts[1]) != nil
    }
}
