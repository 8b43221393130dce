package import NIOCore

/// Whom a connection through a proxy comes from: HAProxy's PROXY protocol, versions 1 and 2.
/// <https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt>
package struct ProxyHeader: Sendable, Equatable {
    package enum Version: Int, Sendable {
        case v1 = 1
        case v2 = 2
    }

    /// The client's address; `nil` where the proxy speaks for itself (health checks) or does not say.
    package var source: SocketAddress?
    /// The connection is the proxy's own (LOCAL), as for a health check. Version 2 only.
    package var isLocal = false
    /// Whether the client came to the proxy by TLS. Version 2 only.
    package var isTLS = false
    /// Whether the proxy has verified a certificate of the client's. Version 2 only.
    package var isCertified = false
    /// Its common name. Version 2 only.
    package var commonName: String?

    package init() {}

    /// Bytes of a version 1 line, CR and LF included (§2.1).
    package static let v1BytesMax = 107
    /// Bytes of a version 2 header we are willing to read; extensions with a certificate's names are far smaller.
    package static let v2BytesMax = 4096
    static let v2Signature: [UInt8] = [0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A]

    /// What is wrong with a header.
    package struct Malformed: Error, Equatable {
        package let reason: String
        init(_ reason: String) { self.reason = reason }
    }

    /// Reads the header at the front; `nil` means more bytes are needed.
    package static func parse(
        _ bytes: [UInt8], _ version: Version
    ) throws(Malformed) -> (header: ProxyHeader, bytes: Int)? {
        switch version {
        case .v1: try parseV1(bytes)
        case .v2: try parseV2(bytes)
        }
    }

    // MARK: Version 1

    private static func parseV1(_ bytes: [UInt8]) throws(Malformed) -> (ProxyHeader, Int)? {
        let start = Array("PROXY ".utf8)
        guard bytes.starts(with: start) || start.starts(with: bytes) else {
            throw Malformed(
                "the connection does not begin with PROXY; is enable_proxy_protocol on and no proxy in front?")
        }
        guard let end = bytes.firstIndex(of: 0x0A) else {
            guard bytes.count < v1BytesMax else { throw Malformed("its line does not end within \(v1BytesMax) bytes") }
            return nil
        }
        guard end < v1BytesMax, end > 0, bytes[end - 1] == 0x0D else {
            throw Malformed("its line does not end with CR LF within \(v1BytesMax) bytes")
        }
        let words = bytes[..<(end - 1)].split(separator: 0x20, omittingEmptySubsequences: false)
            .map { String(decoding: $0, as: UTF8.self) }
        if words.count >= 2, words[1] == "UNKNOWN" { return (ProxyHeader(), end + 1) }
        guard words.count == 6, words[1] == "TCP4" || words[1] == "TCP6" else {
            throw Malformed("its line is not `PROXY TCP4|TCP6 SOURCE DESTINATION PORT PORT`")
        }
        let family: NIOBSDSocket.ProtocolFamily = words[1] == "TCP4" ? .inet : .inet6
        var header = ProxyHeader()
        header.source = try address(words[2], words[4], family)
        _ = try address(words[3], words[5], family)
        return (header, end + 1)
    }

    private static func address(
        _ host: String, _ port: String, _ family: NIOBSDSocket.ProtocolFamily
    ) throws(Malformed) -> SocketAddress {
        guard !port.isEmpty, port.utf8.count <= 5, port.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            let port = UInt16(port)
        else { throw Malformed("'\(port)' is no port") }
        guard let address = try? SocketAddress(ipAddress: host, port: Int(port)), address.protocol == family else {
            throw Malformed("'\(host)' is no address of that family")
        }
        return address
    }

    // MARK: Version 2

    private static func parseV2(_ bytes: [UInt8]) throws(Malformed) -> (ProxyHeader, Int)? {
        guard bytes.starts(with: v2Signature) || v2Signature.starts(with: bytes) else {
            throw Malformed(
                "the connection does not begin with a version 2 header; is a proxy in front, and does it send version 2?"
            )
        }
        guard bytes.count >= 16 else { return nil }
        guard bytes[12] >> 4 == 2 else { throw Malformed("its version is \(bytes[12] >> 4), not 2") }
        let total = 16 + (Int(bytes[14]) << 8 | Int(bytes[15]))
        guard total <= v2BytesMax else { throw Malformed("it has \(total) bytes, more than \(v2BytesMax)") }
        guard bytes.count >= total else { return nil }
        var body = bytes[16..<total]
        var header = ProxyHeader()
        let family = bytes[13] >> 4
        let addressBytes: Int
        switch family {
        case 0: addressBytes = 0
        case 1: addressBytes = 12
        case 2: addressBytes = 36
        case 3: addressBytes = 216
        default: throw Malformed("its address family \(family) is not known")
        }
        guard body.count >= addressBytes else { throw Malformed("it is too short for its addresses") }
        let addresses = Array(body.prefix(addressBytes))
        body = body.dropFirst(addressBytes)
        switch bytes[12] & 0x0F {
        case 0:
            header.isLocal = true  // what it says of addresses is to be ignored
            return (header, total)
        case 1: break
        case let command: throw Malformed("its command \(command) is not known")
        }
        switch family {
        case 1:
            header.source = packed(addresses[0..<4], port: addresses[8..<10])
        case 2:
            header.source = packed(addresses[0..<16], port: addresses[32..<34])
        default: break
        }
        try header.readExtensions(Array(body))
        return (header, total)
    }

    private static func packed(_ address: ArraySlice<UInt8>, port: ArraySlice<UInt8>) -> SocketAddress? {
        let port = port.reduce(0) { $0 << 8 | Int($1) }
        return try? SocketAddress(packedIPAddress: ByteBuffer(bytes: address), port: port)
    }

    /// Type, length, value: §2.2.
    private static func fields(_ bytes: [UInt8]) throws(Malformed) -> [(type: UInt8, value: [UInt8])] {
        var fields: [(UInt8, [UInt8])] = []
        var at = 0
        while at < bytes.count {
            guard bytes.count - at >= 3 else { throw Malformed("an extension is cut off") }
            let length = Int(bytes[at + 1]) << 8 | Int(bytes[at + 2])
            guard bytes.count - at - 3 >= length else { throw Malformed("an extension is longer than its header") }
            fields.append((bytes[at], Array(bytes[(at + 3)..<(at + 3 + length)])))
            at += 3 + length
        }
        return fields
    }

    private mutating func readExtensions(_ bytes: [UInt8]) throws(Malformed) {
        let typeTLS: UInt8 = 0x20
        let typeCommonName: UInt8 = 0x22
        let clientTLS: UInt8 = 0x01
        let clientShowedCertificate: UInt8 = 0x02 | 0x04
        for field in try Self.fields(bytes) where field.type == typeTLS {
            guard field.value.count >= 5 else { throw Malformed("its TLS extension is cut off") }
            let client = field.value[0]
            isTLS = client & clientTLS != 0
            let isVerified = field.value[1..<5].allSatisfy { $0 == 0 }
            guard client & clientShowedCertificate != 0, isVerified else { continue }
            isCertified = true
            for part in try Self.fields(Array(field.value[5...])) where part.type == typeCommonName {
                guard let name = String(validating: part.value, as: UTF8.self), !name.isEmpty else {
                    throw Malformed("its common name is not UTF-8")
                }
                commonName = name
            }
        }
    }
}
