import CertificateTestKit
import Foundation

/// The built program, called in a lab's folder, as a person would.
extension OpenSSL {
    static var martlet: String {
        let own = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        return (own as NSString).deletingLastPathComponent + "/martlet"
    }

    /// `martlet certs …`; fails unless it exits with `status`.
    @discardableResult
    func certs(_ arguments: String..., status: Int32 = 0) throws -> Outcome {
        let outcome = try attempt(["NO_COLOR=1", Self.martlet, "certs"] + arguments, program: "env")
        guard outcome.status == status else {
            throw Failed(description: "martlet certs \(arguments): \(outcome.status) \(outcome.text) \(outcome.errors)")
        }
        return outcome
    }

    /// Under the name mkcert, with folders of its own: nothing of the person's is touched.
    @discardableResult
    func mkcert(_ arguments: String..., status: Int32 = 0) throws -> Outcome {
        let link = path("mkcert")
        if !FileManager.default.fileExists(atPath: link) {
            try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: Self.martlet)
        }
        return try mkcert(link, arguments, status)
    }

    /// Debian's own.
    @discardableResult
    func debianMkcert(_ arguments: String..., status: Int32 = 0) throws -> Outcome {
        try mkcert("/usr/bin/mkcert", arguments, status)
    }

    private func mkcert(_ program: String, _ arguments: [String], _ status: Int32) throws -> Outcome {
        let settings = ["CAROOT=\(path("caroot"))", "MARTLET_TRUST=\(path("trust"))", "TRUST_STORES=none"]
        let outcome = try attempt(settings + [program] + arguments, program: "env")
        guard outcome.status == status else {
            throw Failed(description: "mkcert \(arguments): \(outcome.status) \(outcome.text) \(outcome.errors)")
        }
        return outcome
    }

    /// Permission bits.
    func mode(_ name: String) throws -> Int {
        let attributes = try FileManager.default.attributesOfItem(atPath: path(name))
        return attributes[.posixPermissions] as? Int ?? -1
    }
}
