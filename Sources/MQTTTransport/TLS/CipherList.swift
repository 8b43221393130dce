/// An operator's list of TLS 1.2 cipher suites, understood before NIOSSL sees it: that library ends the process when a list
/// comes to nothing, and leaves out in silence what it does not know.
///
/// What is read is OpenSSL's grammar (`ciphers(1)`): names and words joined by `:`, words joined by `+`, and `!`, `-`, `+`
/// before them. What comes out are names of suites that exist here, in order, at least one.
package struct CipherList: Sendable, Equatable {
    /// OpenSSL's names.
    package let names: [String]
    /// Names OpenSSL has and this library does not, as they were written.
    package let notOffered: [String]

    /// What to write behind NIOSSL's `cipherSuites`.
    var joined: String { names.joined(separator: ":") }

    package init(_ text: String, key: String = "ciphers") throws(SettingFault) {
        func fault(_ reason: String) -> SettingFault { SettingFault(key: key, value: text, reason: reason) }
        var chosen: [Suite] = []
        var banned: Set<String> = []
        var notOffered: [String] = []
        for piece in text.split(whereSeparator: { ":,; ".contains($0) }) {
            if piece.hasPrefix("@") {
                guard piece == "@STRENGTH" || piece.hasPrefix("@SECLEVEL=") else {
                    throw fault("\(piece) is not known")
                }
                if piece == "@STRENGTH" { chosen = chosen.stablySorted { $0.bits > $1.bits } }
                continue
            }
            let sign = piece.first.flatMap { "!-+".contains($0) ? $0 : nil }
            let word = sign == nil ? piece : piece.dropFirst()
            guard !word.isEmpty else { throw fault("'\(piece)' has no name") }
            guard let (suites, isOffered) = Self.suites(of: String(word)) else {
                throw fault("there is no cipher suite '\(word)'; `openssl ciphers -v` lists them")
            }
            if !isOffered, sign == nil { notOffered.append(String(word)) }
            let set = Set(suites.map(\.name))
            switch sign {
            case "!":
                banned.formUnion(set)
                chosen.removeAll { set.contains($0.name) }
            case "-": chosen.removeAll { set.contains($0.name) }
            case "+":
                let moved = chosen.filter { set.contains($0.name) }
                chosen = chosen.filter { !set.contains($0.name) } + moved
            default:
                chosen += suites.filter { suite in
                    !banned.contains(suite.name) && !chosen.contains { $0.name == suite.name }
                }
            }
        }
        guard !chosen.isEmpty else {
            throw fault("none of its cipher suites is offered here; ECDHE-RSA-AES128-GCM-SHA256 is one that is")
        }
        names = chosen.map(\.name)
        self.notOffered = notOffered
    }

    // MARK: Where nobody asked for anything

    /// Forward secrecy and authenticated encryption, then what old devices need.
    static let usual = [
        "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384",
        "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-RSA-CHACHA20-POLY1305",
        "ECDHE-ECDSA-AES128-SHA", "ECDHE-RSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA", "ECDHE-RSA-AES256-SHA",
        "AES128-GCM-SHA256", "AES256-GCM-SHA384", "AES128-SHA", "AES256-SHA",
    ].joined(separator: ":")

    /// For pre-shared keys.
    static let preShared = [
        "ECDHE-PSK-CHACHA20-POLY1305", "ECDHE-PSK-AES128-CBC-SHA", "ECDHE-PSK-AES256-CBC-SHA", "PSK-AES128-CBC-SHA",
        "PSK-AES256-CBC-SHA",
    ].joined(separator: ":")

    var hasPreSharedKeys: Bool { names.contains { $0.contains("PSK") } }

    // MARK: What exists

    private struct Suite {
        let name: String
        /// Words it answers to.
        let words: Set<String>
        let bits: Int
    }

    /// `nil` where nobody knows the word. Words joined by `+` mean the suites that answer to all of them.
    private static func suites(of word: String) -> (suites: [Suite], isOffered: Bool)? {
        if let one = offered.first(where: { $0.name == word || $0.words.contains("=" + word) }) { return ([one], true) }
        var found = offered
        var isOffered = true
        for part in word.split(separator: "+", omittingEmptySubsequences: false).map(String.init) {
            if part == "ALL" || part == "HIGH" || part == "DEFAULT" || part == "FIPS" { continue }
            guard Self.offeredWords.contains(part) || isKnownElsewhere(part) else { return nil }
            if !Self.offeredWords.contains(part) { isOffered = false }
            found.removeAll { !$0.words.contains(part) }
        }
        return (found, isOffered && !found.isEmpty)
    }

    private static let offeredWords = offered.reduce(into: Set<String>()) { $0.formUnion($1.words) }

    /// BoringSSL's, best first.
    private static let offered: [Suite] = {
        func suite(_ name: String, _ standard: String, _ words: String, _ bits: Int) -> Suite {
            Suite(
                name: name, words: Set(words.split(separator: " ").map(String.init)).union(["=" + standard]), bits: bits
            )
        }
        let ecdhe = "kECDHE kEECDH ECDHE EECDH ECDH TLSv1.2"
        let old = "kECDHE kEECDH ECDHE EECDH ECDH TLSv1 SSLv3 TLSv1.0"
        return [
            suite(
                "ECDHE-ECDSA-AES128-GCM-SHA256", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
                "\(ecdhe) aECDSA ECDSA AES AES128 AESGCM SHA256", 128),
            suite(
                "ECDHE-RSA-AES128-GCM-SHA256", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
                "\(ecdhe) aRSA AES AES128 AESGCM SHA256", 128),
            suite(
                "ECDHE-ECDSA-AES256-GCM-SHA384", "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
                "\(ecdhe) aECDSA ECDSA AES AES256 AESGCM SHA384", 256),
            suite(
                "ECDHE-RSA-AES256-GCM-SHA384", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
                "\(ecdhe) aRSA AES AES256 AESGCM SHA384", 256),
            suite(
                "ECDHE-ECDSA-CHACHA20-POLY1305", "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
                "\(ecdhe) aECDSA ECDSA CHACHA20", 256),
            suite(
                "ECDHE-RSA-CHACHA20-POLY1305", "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", "\(ecdhe) aRSA CHACHA20",
                256),
            suite(
                "ECDHE-PSK-CHACHA20-POLY1305", "TLS_ECDHE_PSK_WITH_CHACHA20_POLY1305_SHA256",
                "\(ecdhe) aPSK PSK kECDHEPSK CHACHA20", 256),
            suite(
                "ECDHE-ECDSA-AES128-SHA", "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
                "\(old) aECDSA ECDSA AES AES128 SHA SHA1", 128),
            suite("ECDHE-RSA-AES128-SHA", "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", "\(old) aRSA AES AES128 SHA SHA1", 128),
            suite(
                "ECDHE-PSK-AES128-CBC-SHA", "TLS_ECDHE_PSK_WITH_AES_128_CBC_SHA",
                "\(old) aPSK PSK kECDHEPSK AES AES128 SHA SHA1", 128),
            suite(
                "ECDHE-ECDSA-AES256-SHA", "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA",
                "\(old) aECDSA ECDSA AES AES256 SHA SHA1", 256),
            suite("ECDHE-RSA-AES256-SHA", "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA", "\(old) aRSA AES AES256 SHA SHA1", 256),
            suite(
                "ECDHE-PSK-AES256-CBC-SHA", "TLS_ECDHE_PSK_WITH_AES_256_CBC_SHA",
                "\(old) aPSK PSK kECDHEPSK AES AES256 SHA SHA1", 256),
            suite(
                "AES128-GCM-SHA256", "TLS_RSA_WITH_AES_128_GCM_SHA256",
                "kRSA RSA aRSA TLSv1.2 AES AES128 AESGCM SHA256", 128),
            suite(
                "AES256-GCM-SHA384", "TLS_RSA_WITH_AES_256_GCM_SHA384",
                "kRSA RSA aRSA TLSv1.2 AES AES256 AESGCM SHA384", 256),
            suite("AES128-SHA", "TLS_RSA_WITH_AES_128_CBC_SHA", "kRSA RSA aRSA TLSv1 SSLv3 AES AES128 SHA SHA1", 128),
            suite(
                "PSK-AES128-CBC-SHA", "TLS_PSK_WITH_AES_128_CBC_SHA", "kPSK aPSK PSK TLSv1 SSLv3 AES AES128 SHA SHA1",
                128),
            suite("AES256-SHA", "TLS_RSA_WITH_AES_256_CBC_SHA", "kRSA RSA aRSA TLSv1 SSLv3 AES AES256 SHA SHA1", 256),
            suite(
                "PSK-AES256-CBC-SHA", "TLS_PSK_WITH_AES_256_CBC_SHA", "kPSK aPSK PSK TLSv1 SSLv3 AES AES256 SHA SHA1",
                256),
        ]
    }()

    /// Whether OpenSSL has it: a word of its lists, or a name put together from the parts of its names.
    private static func isKnownElsewhere(_ word: String) -> Bool {
        if elsewhere.contains(word) { return true }
        let parts = word.split(separator: word.hasPrefix("TLS_") ? "_" : "-", omittingEmptySubsequences: false)
        return parts.count > 1 && parts.allSatisfy { nameParts.contains(String($0)) }
    }

    private static let elsewhere: Set<String> = [
        "COMPLEMENTOFDEFAULT", "COMPLEMENTOFALL", "MEDIUM", "LOW", "EXP", "EXPORT", "EXPORT40", "EXPORT56", "eNULL",
        "NULL",
        "aNULL", "kDHE", "kEDH", "DHE", "EDH", "DH", "ADH", "AECDH", "aDSS", "DSS", "kDHr", "kDHd", "kDH", "aDH",
        "kECDHr",
        "kECDHe", "kECDH", "aECDH", "kSRP", "SRP", "aSRP", "kRSAPSK", "kDHEPSK", "RSAPSK", "DHEPSK", "CAMELLIA",
        "CAMELLIA128", "CAMELLIA256", "ARIA", "ARIA128", "ARIA256", "ARIAGCM", "AESCCM", "AESCCM8", "SEED", "IDEA",
        "DES",
        "3DES", "RC2", "RC4", "MD5", "GOST94", "GOST89MAC", "aGOST", "aGOST01", "kGOST", "CBC", "SUITEB128",
        "SUITEB128ONLY", "SUITEB192", "SSLv2", "AESGCM", "CHACHA20",
    ]

    private static let nameParts: Set<String> = [
        "TLS", "WITH", "DHE", "EDH", "ECDHE", "ECDH", "DH", "ADH", "AECDH", "RSA", "ECDSA", "DSS", "PSK", "SRP",
        "AES128",
        "AES256", "AES", "128", "256", "GCM", "CBC", "CBC3", "CCM", "CCM8", "8", "SHA", "SHA256", "SHA384", "MD5",
        "CHACHA20", "POLY1305", "CAMELLIA128", "CAMELLIA256", "CAMELLIA", "ARIA128", "ARIA256", "ARIA", "DES", "3DES",
        "EDE",
        "RC4", "NULL", "SEED", "IDEA", "anon",
    ]
}

/// The list behind `ciphers_tls1.3`. NIOSSL offers all three suites of BoringSSL, always; a list is checked and cannot
/// narrow them.
package enum TLS13CipherList {
    package static let offered: Set<String> = [
        "TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256",
    ]
    private static let elsewhere: Set<String> = ["TLS_AES_128_CCM_SHA256", "TLS_AES_128_CCM_8_SHA256"]

    /// The suites that the list wanted to leave out and that are offered all the same, in order.
    package static func unavoidable(in text: String) throws(SettingFault) -> [String] {
        var wanted: Set<String> = []
        for word in text.split(whereSeparator: { ":,; ".contains($0) }).map(String.init) {
            guard offered.contains(word) || elsewhere.contains(word) else {
                throw SettingFault(
                    key: "ciphers_tls1.3", value: text,
                    reason: "TLS 1.3 has no cipher suite '\(word)'; it has \(offered.sorted().joined(separator: ", "))")
            }
            wanted.insert(word)
        }
        guard !wanted.isDisjoint(with: offered) else {
            throw SettingFault(
                key: "ciphers_tls1.3", value: text,
                reason:
                    "none of its cipher suites is offered here; these are: \(offered.sorted().joined(separator: ", "))")
        }
        return offered.subtracting(wanted).sorted()
    }
}

extension Array {
    fileprivate func stablySorted(by precedes: (Element, Element) -> Bool) -> [Element] {
        enumerated().sorted { one, other in
            precedes(one.element, other.element) || (!precedes(other.element, one.element) && one.offset < other.offset)
        }.map(\.element)
    }
}
