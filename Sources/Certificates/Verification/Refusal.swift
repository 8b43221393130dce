/// Why a chain was not accepted: which certificate, what is wrong with it, and what helps.
package struct Refusal: Error, Equatable, Sendable {
    package enum Reason: Equatable, Sendable {
        /// Nothing was shown.
        case noCertificate
        case malformed(String)
        /// More certificates, or a longer way, than anyone needs.
        case tooManyCertificates(limit: Int)
        /// Nobody known has this name.
        case unknownIssuer(String)
        /// It vouches for itself, and nobody said to trust it.
        case selfSigned
        /// The chain ends in a root that is not among the trusted ones.
        case untrustedRoot
        case badSignature(issuer: String)
        case weakSignature(String)
        case unsupportedSignature(String)
        case weakKey(String)
        case unsupportedKey(String)
        case notYetValid(from: Timestamp)
        case expired(at: Timestamp)
        /// It signed another certificate without being an authority.
        case notAnAuthority
        case pathTooLong(limit: Int)
        case wrongPurpose(Purpose)
        case unknownCriticalExtension(String)
        case nameNotPermitted(String)
        case wrongHost(wanted: String, found: [String])
        case revoked(at: Timestamp, reason: RevocationReason?)
        case noRevocationList(issuer: String)
        case revocationListBadSignature(issuer: String)
        case revocationListNotYetValid(issuer: String, from: Timestamp)
        case revocationListExpired(issuer: String, at: Timestamp)
    }

    package let reason: Reason
    /// The certificate it is about, by its subject; empty when it is about none.
    package let subject: String
    /// 0 for the one that was shown first, 1 for its issuer, and so on.
    package let depth: Int
}

/// What the one who shows a certificate wants to be.
package enum Purpose: String, Sendable, CaseIterable {
    case client, server
    /// Anything: extended key usage is not looked at.
    case any
}

extension Refusal: CustomStringConvertible {
    /// One line for the log: the certificate, what is wrong, what to do.
    package var description: String {
        let who = subject.isEmpty ? "" : "certificate of \(subject): "
        return who + what + (advice.isEmpty ? "" : "; \(advice)")
    }

    /// What is wrong, without name and advice.
    package var what: String {
        switch reason {
        case .noCertificate: "no certificate was sent"
        case .malformed(let why): "it cannot be read: \(why)"
        case .tooManyCertificates(let limit): "the chain has more than \(limit) certificates"
        case .unknownIssuer(let issuer): "unable to get local issuer certificate: nobody trusted is called \(issuer)"
        case .selfSigned: "self-signed certificate that is not among the trusted ones"
        case .untrustedRoot: "self-signed certificate in the chain that is not among the trusted ones"
        case .badSignature(let issuer): "its signature was not made by \(issuer)"
        case .weakSignature(let name): "signed with \(name), which is broken"
        case .unsupportedSignature(let name): "signed with \(name), which is not supported"
        case .weakKey(let key): "its key, \(key), is too short"
        case .unsupportedKey(let key): "its key, \(key), is not supported"
        case .notYetValid(let from): "certificate is not yet valid: it begins on \(from)"
        case .expired(let at): "certificate has expired on \(at)"
        case .notAnAuthority: "it signed another certificate, but is no certificate authority"
        case .pathTooLong(let limit): "it allows only \(limit) authorities below itself"
        case .wrongPurpose(let purpose): "it may not be used by a \(purpose.rawValue)"
        case .unknownCriticalExtension(let type): "critical extension \(type) is not understood"
        case .nameNotPermitted(let why): "its issuer may not sign for this name: \(why)"
        case .wrongHost: "host name verification failed"  // [TLS-2]
        case .revoked(let at, let reason): "certificate was revoked on \(at)" + (reason.map { " (\($0))" } ?? "")
        case .noRevocationList(let issuer): "there is no CRL of \(issuer)"
        case .revocationListBadSignature(let issuer): "the CRL of \(issuer) was not signed by it"
        case .revocationListNotYetValid(let issuer, let from): "the CRL of \(issuer) begins only on \(from)"
        case .revocationListExpired(let issuer, let at): "the CRL of \(issuer) has expired on \(at)"
        }
    }

    /// What the reader can do about it.
    package var advice: String {
        switch reason {
        case .noCertificate: "configure a certificate and its key on the other side"
        case .malformed: "make it anew"
        case .tooManyCertificates: "send only the certificate and the authorities between it and the root"
        case .unknownIssuer: "add that authority to the CA file, or send the certificates in between along"
        case .selfSigned, .untrustedRoot: "add it to the CA file if it is to be trusted"
        case .badSignature: "it was changed, or made by another authority of that name"
        case .weakSignature: "issue it again with SHA-256"
        case .unsupportedSignature: "issue it again with RSA, ECDSA or Ed25519 and SHA-256"
        case .weakKey: "make a new key: RSA with 2048 bits or more, or P-256"
        case .unsupportedKey: "make a new key: RSA, P-256, P-384 or Ed25519"
        case .notYetValid: "check the clocks of both machines"
        case .expired: "issue a new one, and check the clock"
        case .notAnAuthority: "issue through a certificate with basicConstraints CA:TRUE and keyUsage keyCertSign"
        case .pathTooLong: "issue directly from an authority higher up"
        case .wrongPurpose(.server): "issue one with extendedKeyUsage serverAuth"
        case .wrongPurpose: "issue one with extendedKeyUsage clientAuth"
        case .unknownCriticalExtension: "issue one without it"
        case .nameNotPermitted: "issue it for another name, or through another authority"
        case .wrongHost(let wanted, let found):
            "it was asked for \(wanted), the certificate is for \(found.isEmpty ? "no host" : found.joined(separator: ", "))"
        case .revoked: "issue a new one"
        case .noRevocationList, .revocationListBadSignature: "put that authority's own CRL into the CRL file"
        case .revocationListNotYetValid: "check the clock"
        case .revocationListExpired: "have the authority issue a new one"
        }
    }
}
