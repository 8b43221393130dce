#if canImport(Darwin)
import Darwin
#elseif canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// A folder of authorities that programs of this machine trust. Ours by default, the system's only when asked. [MK-8]
package struct TrustStore: Sendable {
    package let directory: String
    /// `.crt` or `.pem`, as the system's program wants it.
    let suffix: String
    /// What makes the system notice; `nil` for our own folder.
    package let refresh: [String]?

    package enum Change: Sendable { case done, alreadySo }

    /// `MARTLET_TRUST`, else `$XDG_DATA_HOME/martlet/trust`, else the platform's place for data.
    package static func own(environment: [String: String]) -> TrustStore? {
        if let folder = environment["MARTLET_TRUST"], !folder.isEmpty {
            return TrustStore(directory: folder, suffix: ".pem", refresh: nil)
        }
        return DataFolder.path("martlet/trust", environment: environment)
            .map { TrustStore(directory: $0, suffix: ".pem", refresh: nil) }
    }

    /// The first of the places Linux distributions have. [MK-6] `root` is "" but for tests.
    package static func system(root: String = "") -> TrustStore? {
        let known: [(String, String, [String])] = [
            ("/etc/pki/ca-trust/source/anchors", ".pem", ["update-ca-trust", "extract"]),
            ("/usr/local/share/ca-certificates", ".crt", ["update-ca-certificates"]),
            ("/etc/ca-certificates/trust-source/anchors", ".crt", ["trust", "extract-compat"]),
            ("/usr/share/pki/trust/anchors", ".pem", ["update-ca-certificates"]),
        ]
        return known.first { SecureFile.exists(root + $0.0) }
            .map { TrustStore(directory: root + $0.0, suffix: $0.1, refresh: $0.2) }
    }

    /// mkcert's name for its own: recognisable, and one file an authority.
    package func path(of authority: ParsedCertificate) -> String {
        // The serial number as mkcert writes it: in decimal.
        "\(directory)/mkcert_development_CA_\(SerialNumber.decimal(authority.serialNumber))\(suffix)"
    }

    package func install(_ authority: ParsedCertificate) throws(SecureFile.Fault) -> Change {
        let path = path(of: authority)
        if SecureFile.exists(path), try SecureFile.read(path) == Array(authority.pem.utf8) { return .alreadySo }
        try DataFolder.make(directory)
        try SecureFile.write(authority.pem, to: path, mode: SecureFile.open)
        return .done
    }

    package func uninstall(_ authority: ParsedCertificate) throws(SecureFile.Fault) -> Change {
        let path = path(of: authority)
        guard SecureFile.exists(path) else { return .alreadySo }
        guard unlink(path) == 0 else {
            throw SecureFile.Fault(path: path, reason: String(cString: strerror(errno)))
        }
        return .done
    }
}

/// Where a program keeps what belongs to a person. [MK-1]
package enum DataFolder {
    package static func path(_ name: String, environment: [String: String]) -> String? {
        if let folder = environment["XDG_DATA_HOME"], !folder.isEmpty { return "\(folder)/\(name)" }
        guard let home = environment["HOME"], !home.isEmpty else { return nil }
        #if os(macOS)
        return "\(home)/Library/Application Support/\(name)"
        #else
        return "\(home)/.local/share/\(name)"
        #endif
    }

    /// mkcert's folder: `CAROOT`, else its place among the person's data.
    package static func authorityRoot(environment: [String: String]) -> String? {
        if let folder = environment["CAROOT"], !folder.isEmpty { return folder }
        return path("mkcert", environment: environment)
    }

    /// With those above it, 0755.
    package static func make(_ path: String) throws(SecureFile.Fault) {
        var current = path.hasPrefix("/") ? "" : "."
        for part in path.split(separator: "/") {
            current += "/" + part
            // What is there is left as it is; whether it is a folder shows when something is written into it.
            guard !SecureFile.exists(current) else { continue }
            guard mkdir(current, 0o755) == 0 else {
                throw SecureFile.Fault(path: current, reason: String(cString: strerror(errno)))
            }
        }
    }
}

extension SerialNumber {
    /// In decimal, as people who are no programmers write numbers.
    package static func decimal(_ number: [UInt8]) -> String {
        var digits: [UInt8] = [0]  // the lowest first
        for byte in number {
            var carry = Int(byte)
            for index in digits.indices {
                let value = Int(digits[index]) * 256 + carry
                digits[index] = UInt8(value % 10)
                carry = value / 10
            }
            while carry > 0 {
                digits.append(UInt8(carry % 10))
                carry /= 10
            }
        }
        return String(decoding: digits.reversed().map { $0 + 0x30 }, as: UTF8.self)
    }
}
