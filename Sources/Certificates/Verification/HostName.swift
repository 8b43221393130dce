/// Whether a certificate is for the host that was asked for. [TLS-1] [TLS-3] RFC 6125 §6.4
package struct HostName: Sendable, CustomStringConvertible {
    package let description: String
    private let address: IPAddress?
    private let labels: [Substring]

    /// A name or an address literal, in brackets or not, with or without a closing dot.
    package init(_ text: String) {
        description = text
        var text = text
        if text.hasPrefix("["), text.hasSuffix("]") { text = String(text.dropFirst().dropLast()) }
        address = IPAddress(text)
        labels = Self.labels(text)
    }

    private static func labels(_ name: String) -> [Substring] {
        let trimmed = name.hasSuffix(".") ? name.dropLast() : name[...]
        return trimmed.lowercased()[...].split(separator: ".", omittingEmptySubsequences: false)
    }

    /// The names a certificate answers to, for messages.
    package static func names(of certificate: ParsedCertificate) -> [String] {
        let names = (certificate.extensions.subjectAlternativeNames ?? []).compactMap { name -> String? in
            switch name {
            case .dns(let name): name
            case .address(let bytes): IPAddress(bytes: bytes)?.description
            default: nil
            }
        }
        return names.isEmpty ? certificate.subject.commonName.map { [$0] } ?? [] : names
    }

    package func matches(_ certificate: ParsedCertificate) -> Bool {
        let names = certificate.extensions.subjectAlternativeNames ?? []
        if let address {
            if names.contains(.address(address.bytes)) { return true }
        } else if names.contains(where: { if case .dns(let pattern) = $0 { matches(pattern) } else { false } }) {
            return true
        }
        // The common name counts only where no alternative name speaks of hosts at all. [TLS-3]
        let speaksOfHosts = names.contains {
            switch $0 {
            case .dns: true
            case .address: address != nil
            default: false
            }
        }
        guard !speaksOfHosts, let commonName = certificate.subject.commonName else { return false }
        if let address { return IPAddress(commonName) == address }
        return matches(commonName)
    }

    /// `*.` stands for exactly one label, and at least two must follow it.
    private func matches(_ pattern: String) -> Bool {
        let pattern = Self.labels(pattern)
        guard pattern.count == labels.count, !labels.contains(""), !pattern.contains("") else { return false }
        if pattern.first == "*" {
            return pattern.count >= 3 && pattern.dropFirst().elementsEqual(labels.dropFirst())
        }
        return pattern == labels
    }
}
