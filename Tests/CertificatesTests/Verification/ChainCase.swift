import CertificateTestKit
import Certificates
import Testing

/// One chain, what we must say of it, and what OpenSSL says: the same, or the difference is explained.
struct ChainCase: Sendable, CustomTestStringConvertible {
    var name: String
    /// Certificates of the lab, the leaf first.
    var chain: [String]
    var anchors: [String]
    /// `nil` where no CRL is configured.
    var lists: [String]?
    var purpose = Purpose.server
    var host: String?
    /// Days from the moment all was made.
    var day = 0
    var partial = false
    var pinned = false
    /// OpenSSL's number for how strict it is with keys and digests; 2 is Debian's for TLS.
    var level = 2

    /// The case of `Refusal.Reason`; `nil` is acceptance.
    var refusal: String?
    /// OpenSSL's error; 0 is acceptance.
    var code: Int
    /// Why the verdicts may differ.
    var because: String?

    var testDescription: String { name }

    static func accepts(
        _ name: String, _ chain: [String], _ anchors: [String], _ change: (inout ChainCase) -> Void = { _ in }
    ) -> ChainCase {
        var made = ChainCase(name: name, chain: chain, anchors: anchors, refusal: nil, code: 0)
        change(&made)
        return made
    }

    static func refuses(
        _ refusal: String, _ code: Int, _ name: String, _ chain: [String], _ anchors: [String],
        _ change: (inout ChainCase) -> Void = { _ in }
    ) -> ChainCase {
        var made = ChainCase(name: name, chain: chain, anchors: anchors, refusal: refusal, code: code)
        change(&made)
        return made
    }

    // MARK: - Both judges

    func ourVerdict(_ lab: CertificateLab) throws -> ChainVerifier.Verdict {
        let options = ChainVerifier.Options(
            purpose: purpose, hostName: host.map { HostName($0) }, acceptsPartialChain: partial, pinsLeaf: pinned)
        let verifier = ChainVerifier(
            anchors: try lab.load(anchors), revocationLists: try lists.map { try lab.lists($0) }, options: options)
        return verifier.verify(chain: try lab.load(chain).map(\.der), at: lab.now.adding(days: day))
    }

    /// The number of the error OpenSSL gives, 0 for none.
    func openSSLVerdict(_ lab: CertificateLab) throws -> Int {
        var arguments = ["verify", "-no-CApath", "-no-CAstore", "-auth_level", "\(level)"]
        arguments += ["-CAfile", try lab.bundle(anchors)]
        if chain.count > 1 { arguments += ["-untrusted", try lab.bundle(Array(chain.dropFirst()))] }
        if let lists { arguments += ["-crl_check", "-CRLfile", try lab.bundle(lists, suffix: "crl")] }
        switch purpose {
        case .server: arguments += ["-purpose", "sslserver"]
        case .client: arguments += ["-purpose", "sslclient"]
        case .any: break
        }
        if let host { arguments += [IPAddress(host) == nil ? "-verify_hostname" : "-verify_ip", host] }
        if partial || pinned { arguments.append("-partial_chain") }
        arguments += ["-attime", "\(lab.now.adding(days: day).seconds)", "\(chain[0]).crt"]
        let outcome = try lab.openSSL.attempt(arguments)
        if outcome.status == 0 { return 0 }
        let words = outcome.errors.split { $0 == " " || $0 == "\n" }
        guard let error = words.firstIndex(of: "error"), error + 1 < words.count, let code = Int(words[error + 1])
        else { return -1 }
        return code
    }
}

extension Refusal {
    /// The name of the reason's case, for tables.
    var kind: String { String("\(reason)".prefix { $0 != "(" }) }
}
