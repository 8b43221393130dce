import BrokerConfiguration
package import Certificates

/// What can be read beside a configuration while it is looked at.
package struct ConfigurationSurroundings: Sendable {
    /// The bytes of a file, or why they cannot be had.
    package let read: @Sendable (String) -> Result<[UInt8], Unreadable>
    package let now: Timestamp

    package struct Unreadable: Error, Equatable {
        package let reason: String
        package init(_ reason: String) { self.reason = reason }
    }

    package init(now: Timestamp, read: @escaping @Sendable (String) -> Result<[UInt8], Unreadable>) {
        self.now = now
        self.read = read
    }
}

/// Findings about the files that TLS needs.
extension ConfigurationLint {
    /// Days before its end at which a certificate is spoken of.
    private static let noticeDays = 30

    static func certificates(
        _ listener: ListenerConfiguration, _ place: ConfigurationReport.Place, _ around: ConfigurationSurroundings
    ) -> [Finding] {
        guard let tls = listener.tls else { return [] }
        var findings: [Finding] = []
        func find(_ rule: Finding.Rule, _ message: String) {
            findings.append(Finding(rule, .warning, place, message))
        }
        func contents<Document>(
            _ path: String, _ parse: ([UInt8], String) throws(PEMBundle.Fault) -> [Document]
        ) -> [Document] {
            switch around.read(path) {
            case .failure(let fault):
                find(.fileUnreadable, "\(path): \(fault.reason)")
                return []
            case .success(let bytes):
                do throws(PEMBundle.Fault) { return try parse(bytes, path) } catch {
                    find(.fileUnreadable, "\(error)")
                    return []
                }
            }
        }
        if let path = tls.certificateFile {
            if let own = contents(path, PEMBundle.certificates).first {
                findings += names(of: own, path, listener, place)
                findings += dates(of: own, path, place, around.now)
                if let weakness = own.publicKey.weakness {
                    find(.certificateWeak, "\(path): its key is \(weakness), which clients refuse today")
                } else if own.signatureAlgorithm.isWeak, !own.isSelfIssued {
                    find(
                        .certificateWeak,
                        "\(path): it is signed by \(own.signatureAlgorithm), which clients refuse today")
                }
            }
        }
        if let path = tls.authorityFile {
            for authority in contents(path, PEMBundle.certificates) {
                findings += dates(of: authority, path, place, around.now)
                if authority.version == 3, authority.extensions.basicConstraints?.isAuthority != true {
                    find(
                        .authorityUnfit,
                        "\(path): \(authority.displayName) is no certificate authority, so nobody's certificate "
                            + "can be signed by it")
                }
            }
        }
        if let path = tls.revocationListFile {
            for list in contents(path, PEMBundle.revocationLists) {
                guard let end = list.nextUpdate, end < around.now else { continue }
                find(
                    .revocationListOld,
                    "\(path): the list of \(list.issuer) was to be renewed by \(end); until it is, everybody of that authority is "
                        + "refused")
            }
        }
        return findings
    }

    private static func names(
        of certificate: ParsedCertificate, _ path: String, _ listener: ListenerConfiguration,
        _ place: ConfigurationReport.Place
    ) -> [Finding] {
        let names = HostName.names(of: certificate)
        guard !names.isEmpty else {
            return [
                Finding(
                    .certificateName, .warning, place, "\(path): the certificate names no host, so clients refuse it")
            ]
        }
        let everyAddress: Set = ["0.0.0.0", "::"]
        if let host = listener.host, !everyAddress.contains(host), !HostName(host).matches(certificate) {
            return [
                Finding(
                    .certificateName, .warning, place,
                    "\(listener.place): the certificate \(path) is for \(names.joined(separator: ", ")); clients that ask for \(host) "
                        + "refuse it")
            ]
        }
        guard certificate.extensions.subjectAlternativeNames?.isEmpty != false else { return [] }
        return [
            Finding(
                .certificateName, .note, place,
                "\(path): the certificate says its name, \(names.joined(separator: ", ")), only as common name; Martlet and mosquitto "
                    + "accept that, browsers and many libraries want a subject alternative name")
        ]
    }

    private static func dates(
        of certificate: ParsedCertificate, _ path: String, _ place: ConfigurationReport.Place, _ now: Timestamp
    ) -> [Finding] {
        if certificate.notAfter < now {
            return [
                Finding(
                    .certificateDates, .warning, place,
                    "\(path): \(certificate.displayName) expired at \(certificate.notAfter)")
            ]
        }
        if now < certificate.notBefore {
            return [
                Finding(
                    .certificateDates, .warning, place,
                    "\(path): \(certificate.displayName) is not valid before \(certificate.notBefore)")
            ]
        }
        let days = certificate.notAfter.days(since: now)
        guard days < noticeDays else { return [] }
        return [
            Finding(
                .certificateDates, .warning, place, "\(path): \(certificate.displayName) expires in \(days) days")
        ]
    }
}
