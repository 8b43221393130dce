import Certificates
import Glibc

/// The stores of browsers that use NSS: Firefox keeps one a profile, Chromium one for all. Changed by NSS's own program
/// `certutil` (Debian: libnss3-tools), as mkcert does it, and left alone where that is missing. [MK-6]
struct BrowserStores {
    private let profiles: [String]

    init(home: String?) {
        guard let home, !home.isEmpty else {
            profiles = []
            return
        }
        var folders = ["\(home)/.pki/nssdb", "\(home)/snap/chromium/current/.pki/nssdb", "/etc/pki/nssdb"]
        for firefox in ["\(home)/.mozilla/firefox", "\(home)/snap/firefox/common/.mozilla/firefox"] {
            folders += Self.entries(of: firefox).map { "\(firefox)/\($0)" }
        }
        profiles = folders.compactMap { folder in
            if SecureFile.exists(folder + "/cert9.db") { return "sql:" + folder }
            return SecureFile.exists(folder + "/cert8.db") ? "dbm:" + folder : nil
        }
    }

    func install(_ authority: ParsedCertificate) {
        guard !profiles.isEmpty else { return }
        var template = Array("/tmp/martlet-trust-XXXXXX".utf8CString)
        guard let made = mkdtemp(&template) else { return }
        let folder = String(cString: made)
        let file = folder + "/ca"
        defer {
            unlink(file)
            rmdir(folder)
        }
        guard (try? SecureFile.write(authority.pem, to: file, mode: SecureFile.open)) != nil else { return }
        let name = Self.name(authority)
        change("installed in the Firefox and/or Chrome/Chromium trust store (requires browser restart)! 🦊") { profile in
            if run(["-V", "-d", profile, "-u", "L", "-n", name]) == 0 { return 0 }
            return run(["-A", "-d", profile, "-t", "C,,", "-n", name, "-i", file])
        }
    }

    func uninstall(_ authority: ParsedCertificate) {
        let name = Self.name(authority)
        change("uninstalled from the Firefox and/or Chrome/Chromium trust store(s)! 👋") { profile in
            if run(["-V", "-d", profile, "-u", "L", "-n", name]) != 0 { return 0 }
            return run(["-D", "-d", profile, "-n", name])
        }
    }

    /// What browsers list it as; mkcert's own name for it, so that either program finds the other's.
    private static func name(_ authority: ParsedCertificate) -> String {
        "mkcert development CA " + SerialNumber.decimal(authority.serialNumber)
    }

    private func change(_ done: String, _ each: (String) -> Int32) {
        guard !profiles.isEmpty else { return }
        guard run(["-H"]) != 127 else {
            return Terminal.complain(
                "Warning: \"certutil\" is not available, so browsers were left as they are. Install it with "
                    + "\"apt install libnss3-tools\" and run this again ⚠️")
        }
        let failed = profiles.filter { each($0) != 0 }
        for profile in failed { Terminal.complain("ERROR: certutil failed on \(profile)") }
        if failed.count < profiles.count { print("The local CA is now \(done)") }
    }

    private func run(_ words: [String]) -> Int32 {
        (try? OtherProgram.run(["certutil"] + words, isQuiet: true)) ?? 1
    }

    private static func entries(of folder: String) -> [String] {
        guard let stream = opendir(folder) else { return [] }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }
}
