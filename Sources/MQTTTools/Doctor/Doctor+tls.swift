import Certificates
import MQTTTransport
import NIOCore

#if canImport(Darwin)
import Darwin
#elseif canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// The certificate that the server shows, the versions it speaks, and whether we would trust it.
extension Doctor {
    func greet() async -> Finding {
        let begin = ContinuousClock.now
        let failure = await verdict()
        let milliseconds = begin.milliseconds
        var facts: [String] = []
        var warnings: [String] = []
        if endpoint.proxy == nil, endpoint.socketPath == nil {
            var spoken: [String] = []
            var certificates: [[UInt8]] = []
            for (number, name) in [(2, "TLS 1.2"), (3, "TLS 1.3")] {
                let shown = try? await ServerGreeting.of(
                    endpoint, versions: number...number, on: loop, timeout: timeout)
                guard let shown else { continue }
                certificates = shown.certificates
                if shown.version != nil { spoken.append(name) }
            }
            if !spoken.isEmpty { facts.append("speaks \(spoken.joined(separator: " and "))") }
            describe(certificates, &facts, &warnings)
        }
        guard let failure else {
            return Finding(
                stage: .tls, outcome: warnings.isEmpty ? .ok : .warning,
                summary: warnings.first ?? trust, milliseconds: milliseconds, facts: facts,
                remedy: warnings.isEmpty ? nil : "renew it in time: `martlet certs server …`, or whoever issued it")
        }
        return Finding(
            stage: .tls, outcome: .failed, summary: failure.reason, facts: facts + failure.details,
            remedy: failure.remedy
                ?? "does this port speak TLS at all? In the clear it would be mqtt://, often on port 1883.")
    }

    private var trust: String {
        switch endpoint.tls?.verification {
        case .nothing: "encrypted, and NOT verified: anybody could be the server"
        case .anyHostName: "the certificate is trusted, its name is NOT verified"
        default: "the certificate is trusted, and for \(endpoint.tls?.serverName ?? endpoint.host)"
        }
    }

    /// Nil = we would connect.
    private func verdict() async -> ConnectFailure? {
        do {
            let channel = try await Connector.connect(to: endpoint, on: loop, timeout: timeout) {
                $0.eventLoop.makeSucceededVoidFuture()
            }
            try? await channel.close()
            return nil
        } catch {
            // TLS is through; what is above it is another stage's.
            return error.stage == .webSocket ? nil : error
        }
    }

    private func describe(_ certificates: [[UInt8]], _ facts: inout [String], _ warnings: inout [String]) {
        let now = Timestamp(seconds: Int64(time(nil)))
        for (index, der) in certificates.enumerated() {
            guard let certificate = try? ParsedCertificate(der: der) else {
                facts.append("certificate \(index + 1) cannot be read")
                continue
            }
            let days = certificate.notAfter.days(since: now)
            let end = days < 0 ? "ended \(-days) days ago" : "ends in \(days) days"
            facts.append(
                "certificate \(index + 1): \(certificate.displayName), by \(certificate.issuer), \(end) (\(certificate.notAfter))"
            )
            if index == 0 {
                facts.append("its names: \(HostName.names(of: certificate).joined(separator: ", "))")
            }
            if (0..<Self.expiryWarningDays).contains(days) {
                warnings.append("trusted, but the certificate of \(certificate.displayName) \(end)")
            }
        }
    }
}
