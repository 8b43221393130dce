package import BrokerConfiguration
import MQTTTransport

/// What a start is told beside the configuration, and what no file should hold.
package struct StartSecrets: Sendable {
    /// Passphrases that somebody typed, by the key file they open. Kept for reloads.
    package var passphrases: [String: [UInt8]] = [:]
    /// Where to write the secrets of TLS connections, for Wireshark. `--tls-keylog`
    package var tlsKeyLog: String?

    package init() {}
}

/// Certificates, keys, lists or ciphers that cannot be used; the caller's exit status for it is 3, like that of a wrong file.
package struct TransportProblems: Error, CustomStringConvertible {
    package let problems: [Diagnostic]
    package var description: String { problems.map(\.description).joined(separator: "\n") }
}

extension Broker {
    /// Key files that need a passphrase nobody has written down, each once.
    package static func keysWithoutPassphrase(_ configuration: BrokerConfiguration) -> [String] {
        var keys: [String] = []
        for case let tls? in configuration.listeners.map(\.tls) where tls.keyPasswordFile == nil {
            guard let file = tls.keyFile, !keys.contains(file), KeyPassphrase.isNeeded(keyFile: file) else { continue }
            keys.append(file)
        }
        return keys
    }

    /// Errors: everything that would keep the listeners' TLS from working; else warnings: what a start would say of it. For
    /// `--test-config`.
    package static func transportProblems(
        _ configuration: BrokerConfiguration, _ secrets: StartSecrets = StartSecrets()
    ) -> [Diagnostic] {
        do throws(TransportProblems) {
            let snapshots = try makeSnapshots(configuration, secrets, nil)
            return zip(configuration.listeners, snapshots).flatMap { listener, snapshot in
                (snapshot?.remarks ?? []).map { listener.places.diagnostic(.warning, key: $0.key, "\($0)") }
            }
        } catch { return error.problems }
    }

    /// One for each listener, `nil` where there is no TLS. All or nothing.
    /// - Parameter known: a snapshot that is good still, where there is one: its files are not read again.
    static func makeSnapshots(
        _ configuration: BrokerConfiguration, _ secrets: StartSecrets, _ keyLog: KeyLog?,
        known: (ListenerConfiguration) -> TLSSnapshot? = { _ in nil }
    ) throws(TransportProblems) -> [TLSSnapshot?] {
        var snapshots: [TLSSnapshot?] = []
        var problems: [Diagnostic] = []
        for listener in configuration.listeners {
            if let snapshot = known(listener) {
                snapshots.append(snapshot)
                continue
            }
            do throws(SettingFault) { snapshots.append(try makeSnapshot(listener, secrets, keyLog)) } catch {
                problems.append(listener.places.diagnostic(.error, key: error.key, "\(error)"))
            }
        }
        guard problems.isEmpty else { throw TransportProblems(problems: problems) }
        return snapshots
    }

    private static func makeSnapshot(
        _ listener: ListenerConfiguration, _ secrets: StartSecrets, _ keyLog: KeyLog?
    ) throws(SettingFault) -> TLSSnapshot? {
        guard let tls = listener.tls else { return nil }
        var passphrase: [UInt8]?
        if let file = tls.keyPasswordFile {
            passphrase = try KeyPassphrase.read(from: file)
        } else if let file = tls.keyFile {
            passphrase = secrets.passphrases[file]
        }
        var settings = TLSSettings()
        settings.certificateFile = tls.certificateFile
        settings.keyFile = tls.keyFile
        settings.authorityFile = tls.authorityFile
        settings.authorityFolder = tls.authorityFolder
        settings.revocationListFile = tls.revocationListFile
        settings.requiresCertificate = tls.requiresCertificate
        settings.checksClientDates = tls.checksClientDates
        settings.requiresTLS13 = tls.minimumVersion > .v1_2
        settings.ciphers = tls.ciphers
        settings.ciphersTLS13 = tls.ciphersTLS13
        settings.pskHint = tls.pskHint
        settings.pskFile = listener.security.pskFile
        return try TLSSnapshot(settings, passphrase: passphrase, keyLog: keyLog)
    }
}
