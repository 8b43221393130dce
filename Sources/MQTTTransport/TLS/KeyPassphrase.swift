#if canImport(Darwin)
import Darwin
#elseif canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Where the passphrase of an encrypted key comes from.
package enum KeyPassphrase {
    /// Longest passphrase, bytes.
    static let bytesMax = 1024

    /// The first line of a file that only its owner may read. `keyfile_password_file`
    package static func read(from path: String) throws(SettingFault) -> [UInt8] {
        let key = "keyfile_password_file"
        try SmallFile.requirePrivate(path, key: key)
        let line = try SmallFile.read(path, key: key).prefix { $0 != 0x0A && $0 != 0x0D }
        guard !line.isEmpty else { throw SettingFault(key: key, value: path, reason: "its first line is empty") }
        guard line.count <= bytesMax else {
            throw SettingFault(key: key, value: path, reason: "its first line has more than \(bytesMax) bytes")
        }
        return Array(line)
    }

    /// Whether a key needs one. False also for files that cannot be read: `TLSSnapshot` tells why.
    package static func isNeeded(keyFile: String) -> Bool {
        guard let bytes = try? SmallFile.read(keyFile, key: "keyfile") else { return false }
        let text = String(decoding: bytes, as: UTF8.self)
        return text.contains("-----BEGIN ENCRYPTED PRIVATE KEY-----") || text.contains("Proc-Type: 4,ENCRYPTED")
    }
}
