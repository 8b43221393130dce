import CertificateTestKit
import Certificates

/// The table. Codes are those of openssl-verification-options(1) and x509_vfy.h of OpenSSL 3.0.
extension ChainCase {
    static let all: [ChainCase] = plain + times + purposes + authorities + strength + names + constraints + lists

    private static let plain: [ChainCase] = [
        .accepts("a server under a root", ["server-root"], ["root"]),
        .accepts("a root among others, one of the same name", ["server-root"], ["impostor", "rsa", "root"]),
        .accepts("the root is sent along", ["server-root", "root"], ["root"]),
        .accepts("an authority in between", ["server-inter", "inter"], ["root"]),
        .accepts(
            "two in between, in disorder, and one too many", ["server-deep", "client", "inter", "deep"], ["root"]),
        .accepts("the one in between lies in the CA file", ["server-inter"], ["root", "inter"]),
        .refuses("unknownIssuer", 20, "the one in between is missing", ["server-inter"], ["root"]),
        .refuses("unknownIssuer", 20, "a foreign root", ["server-root"], ["rsa"]),
        .refuses("unknownIssuer", 20, "made by an impostor of the same name", ["forged"], ["root"]),
        .refuses("badSignature", 7, "a bit of the signature is wrong", ["damaged"], ["root"]),
        .refuses("selfSigned", 18, "a self-signed leaf", ["selfsigned"], ["root"]),
        .accepts("a self-signed leaf that is trusted", ["selfsigned"], ["selfsigned"]),
        .refuses("untrustedRoot", 19, "the chain brings its own root", ["server-rsa", "rsa"], ["root"]),
        .accepts("cross-signed: by the new root", ["server-new", "cross"], ["new"]),
        .accepts("cross-signed: by the old root", ["server-new", "cross"], ["root"]),
        .accepts("cross-signed: the new root is sent first", ["server-new", "new", "cross"], ["root"]) {
            $0.code = 19
            $0.because =
                "OpenSSL takes the first certificate of the right name and does not go back; we try the other one"
        },
        .refuses("unknownIssuer", 2, "an authority in between is no end", ["server-inter"], ["inter"]),
        .accepts("with a partial chain it is", ["server-inter"], ["inter"]) { $0.partial = true },
        .refuses(
            "unknownIssuer", 20, "a leaf in the CA file is no end either [TLS-4]", ["server-root"], ["server-root"]),
        .accepts("pinned, it is [TLS-4]", ["server-root"], ["server-root"]) { $0.pinned = true },
        .refuses("unknownIssuer", 20, "another leaf of the same authority is not pinned", ["both"], ["server-root"]) {
            $0.pinned = true
        },
        .refuses("wrongPurpose", 26, "pinned, but for clients", ["client"], ["client"]) { $0.pinned = true },
    ]

    private static let times: [ChainCase] = [
        .refuses("expired", 10, "expired", ["server-root"], ["root"]) { $0.day = 51 },
        .refuses("notYetValid", 9, "not yet valid", ["server-root"], ["root"]) { $0.day = -1 },
        .refuses("expired", 10, "an expired root", ["server-old"], ["old"]) { $0.day = 20 },
        .refuses("expired", 10, "an expired authority in between", ["server-short", "short"], ["root"]) { $0.day = 6 },
        .refuses("expired", 10, "pinned and expired", ["server-root"], ["server-root"]) {
            $0.day = 51
            $0.pinned = true
        },
    ]

    private static let purposes: [ChainCase] = [
        .accepts("a client as client", ["client"], ["root"]) { $0.purpose = .client },
        .refuses("wrongPurpose", 26, "a client as server", ["client"], ["root"]),
        .refuses("wrongPurpose", 26, "a server as client", ["server-root"], ["root"]) { $0.purpose = .client },
        .accepts("both as server", ["both"], ["root"]),
        .accepts("both as client", ["both"], ["root"]) { $0.purpose = .client },
        .refuses("wrongPurpose", 26, "for anything, which for OpenSSL is not for this", ["anyusage"], ["root"]),
        .refuses("wrongPurpose", 26, "for mail", ["mailonly"], ["root"]),
        .refuses("wrongPurpose", 26, "a key that only signs certificates", ["signonly"], ["root"]),
        .refuses("wrongPurpose", 26, "a key for non-repudiation", ["nonrepudiation"], ["root"]),
        .accepts("a key for enciphering, as server", ["encipher"], ["root"]),
        .refuses("wrongPurpose", 26, "a key for enciphering, as client", ["encipher"], ["root"]) {
            $0.purpose = .client
        },
        .refuses(
            "wrongPurpose", 26, "an authority for clients made a server", ["server-clientca", "clientca"], ["root"]),
        .accepts("whatever the purpose", ["mailonly"], ["root"]) { $0.purpose = .any },
        .accepts("no usage at all, as client", ["server-nosan"], ["root"]) { $0.purpose = .client },
    ]

    private static let authorities: [ChainCase] = [
        .accepts("version 1 under a version 3 root [TLS-3]", ["server-v1"], ["root"]),
        .accepts("version 1 under a version 1 root [TLS-3]", ["server-v1v1"], ["version1"]),
        .refuses("notAnAuthority", 79, "version 1 in between", ["server-interv1", "inter-v1"], ["root"]),
        .refuses("notAnAuthority", 79, "a leaf as authority", ["server-server", "server-root"], ["root"]),
        .refuses("notAnAuthority", 79, "an authority that may not sign", ["server-nosign", "nosign"], ["root"]),
        .refuses("notAnAuthority", 79, "a root that says it is none", ["server-noncaroot"], ["noncaroot"]),
        .refuses("notAnAuthority", 79, "a version 3 root that says nothing", ["server-plainroot"], ["plainroot"]),
        .accepts("a version 3 root with key usage alone", ["server-usageroot"], ["usageroot"]),
        .accepts("path length 0, a leaf below", ["server-level0", "level0"], ["root"]),
        .refuses(
            "pathTooLong", 25, "path length 0, an authority below", ["server-below0", "below0", "level0"], ["root"]),
        .accepts("a change of keys does not count", ["server-rollover", "rollover", "level0"], ["root"]),
        .refuses("unknownCriticalExtension", 34, "an unknown critical extension", ["critical"], ["root"]),
        .accepts("an unknown extension that is not critical", ["uncritical"], ["root"]),
        .accepts("critical policies that nobody asked for", ["policies"], ["root"]),
    ]

    private static let strength: [ChainCase] = [
        .accepts("RSA", ["server-rsa"], ["rsa"]),
        .accepts("RSASSA-PSS with SHA-256", ["server-pss256"], ["rsa"]),
        .accepts("RSASSA-PSS with SHA-384", ["server-pss384"], ["rsa"]),
        .accepts("RSASSA-PSS with SHA-512", ["server-pss512"], ["rsa"]),
        .refuses("unsupportedSignature", 0, "RSASSA-PSS with a short salt", ["server-psssalt"], ["rsa"]) {
            $0.because = "nobody issues these; BoringSSL, which speaks TLS for us, refuses them too"
        },
        .accepts("P-384", ["server-p384"], ["p384"]),
        .accepts("P-521", ["server-p521"], ["p521"]),
        .accepts("Ed25519", ["server-ed25519"], ["ed25519"]),
        .refuses("weakKey", 66, "RSA 1024", ["weak1024"], ["root"]),
        .refuses("weakSignature", 68, "SHA-1", ["weaksha1"], ["rsa"]),
        .refuses("weakSignature", 68, "MD5", ["weakmd5"], ["rsa"]),
        .accepts("a root that signed itself with SHA-1", ["server-sha1root"], ["sha1root"]),
        .accepts("an RSA 1024 root that was trusted by hand", ["server-rsa1024"], ["rsa1024"]) {
            $0.code = 67
            $0.because = "who trusts an old root means it; OpenSSL at level 1 agrees"
        },
        .accepts("the same at level 1", ["server-rsa1024"], ["rsa1024"]) { $0.level = 1 },
    ]

    private static func host(_ name: String, _ wanted: String, _ leaf: String = "server-root") -> ChainCase {
        .accepts("\(name): \(wanted)", [leaf], ["root"]) { $0.host = wanted }
    }

    private static func wrongHost(_ name: String, _ wanted: String, _ leaf: String = "server-root", _ code: Int = 62)
        -> ChainCase
    {
        .refuses("wrongHost", code, "\(name): \(wanted)", [leaf], ["root"]) { $0.host = wanted }
    }

    private static let names: [ChainCase] = [
        host("its name", "broker.example"), host("in capitals", "BROKER.Example"),
        host("one level below the star", "a.lan.example"),
        wrongHost("two levels below", "a.b.lan.example"), wrongHost("the star's own domain", "lan.example"),
        wrongHost("another", "other.example"), wrongHost("the beginning of it", "broker.exampl"),
        host("its address", "127.0.0.1"), host("its address, version 6", "::1"), host("written out", "0:0:0:0:0:0:0:1"),
        wrongHost("another address", "127.0.0.2", "server-root", 64),
        host("the common name, version 1 [TLS-3]", "broker.example", "server-v1"),
        host("the common name, no alternative [TLS-3]", "broker.example", "server-nosan"),
        host("a star in the common name", "a.lan.example", "server-cnwild"),
        wrongHost("the common name where there are alternatives", "broker.example", "server-cnother"),
        wrongHost("a star under a top level", "broker.example", "server-tld"),
        wrongHost("a star alone", "localhost", "server-bare"),
        wrongHost("an address as a name", "127.0.0.1", "server-ipdns", 64),
        .accepts("an address as common name", ["server-cnip"], ["root"]) {
            $0.host = "192.0.2.7"
            $0.code = 64
            $0.because =
                "mosquitto's clients accept it, and their users have such certificates; it is the exact address"
        },
    ]

    private static func constrained(_ authority: String, _ leaf: String, _ code: Int) -> ChainCase {
        let (chain, purpose) = (["\(authority)-\(leaf)", authority], "\(authority): \(leaf)")
        return code == 0
            ? .accepts(purpose, chain, ["root"]) : .refuses("nameNotPermitted", code, purpose, chain, ["root"])
    }

    private static let constraints: [ChainCase] = [
        constrained("only-example", "in", 0), constrained("only-example", "out", 47),
        constrained("only-example", "ipout", 0), constrained("only-example", "cn", 47),
        constrained("not-example", "in", 48), constrained("not-example", "out", 0),
        constrained("only-net", "ipin", 0), constrained("only-net", "ipout", 47), constrained("only-net", "out", 0),
        constrained("only-mail", "in", 0), constrained("only-mail", "out", 47),
        constrained("only-ours", "in", 0), constrained("only-ours", "out", 47),
    ]

    private static func listed(
        _ refusal: String?, _ code: Int, _ name: String, _ lists: [String], day: Int = 0, leaf: [String] = ["client"],
        because: String? = nil
    ) -> ChainCase {
        ChainCase(
            name: name, chain: leaf, anchors: ["root"], lists: lists, purpose: .client, day: day, refusal: refusal,
            code: code, because: because)
    }

    private static let lists: [ChainCase] = [
        listed(nil, 0, "not on the list", ["fresh"]),
        listed("revoked", 23, "revoked", ["revoking"]),
        listed("revoked", 23, "on hold", ["holding"]),
        listed(nil, 0, "another is revoked", ["revoking"], leaf: ["client2"]),
        listed("revocationListExpired", 12, "the list has expired", ["brief"], day: 2),
        listed(nil, 0, "an expired one and a valid one", ["brief", "fresh"], day: 2),
        listed("noRevocationList", 3, "only another authority's list", ["foreign"]),
        listed("revocationListBadSignature", 8, "an impostor's list", ["imposing"]),
        listed(
            nil, 8, "an impostor's list and the right one", ["imposing", "fresh"],
            because: "OpenSSL picks a list by its issuer's name alone; we take the one that the issuer signed"),
        listed("revocationListNotYetValid", 11, "the list begins later", ["later"]),
        listed(
            "noRevocationList", 3, "no list of the authority in between", ["fresh"],
            leaf: ["client-nocrlsign", "nocrlsign"]),
        listed(
            "revocationListBadSignature", 35, "its authority may not sign lists", ["nocrlsignlist"],
            leaf: ["client-nocrlsign", "nocrlsign"]),
        ChainCase(
            name: "the authority in between is revoked", chain: ["server-inter", "inter"], anchors: ["root"],
            lists: ["interlist", "interrevoked"], refusal: "revoked", code: 0,
            because: "-crl_check looks at the leaf alone; what a valid list names we do not trust"),
    ]
}
