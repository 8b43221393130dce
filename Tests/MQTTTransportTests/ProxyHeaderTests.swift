import MQTTTransport
import NIOCore
import SeededRandom
import Testing

@Suite("PROXY protocol")
struct ProxyHeaderTests {
    @Test(
        "version 1",
        arguments: [
            ("PROXY TCP4 203.0.113.7 10.0.0.1 56324 1883\r\n", "203.0.113.7", 56324),
            ("PROXY TCP6 2001:db8::7 ::1 65535 0\r\n", "2001:db8::7", 65535),
        ])
    func v1(line: String, host: String, port: Int) throws {
        let bytes = Array(line.utf8)
        let (header, count) = try #require(try ProxyHeader.parse(bytes + [0x10, 0x0C], .v1))
        #expect(count == bytes.count)
        #expect(header.source?.ipAddress == host)
        #expect(header.source?.port == port)
        // Every beginning of it waits.
        for end in 0..<bytes.count { #expect(try ProxyHeader.parse(Array(bytes[..<end]), .v1) == nil) }
    }

    @Test("version 1: UNKNOWN is the proxy's own business, whatever follows")
    func unknown() throws {
        let line = Array("PROXY UNKNOWN ffff::1 x y z\r\n".utf8)
        #expect(try ProxyHeader.parse(line, .v1)?.header.source == nil)
        #expect(try ProxyHeader.parse(line, .v1)?.bytes == line.count)
    }

    @Test(
        "version 1: malformed",
        arguments: [
            "GET / HTTP/1.1\r\n", "PROXY \r\n", "PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n", "PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n",
            "PROXY TCP4 ::1 ::1 1 2\r\n", "PROXY TCP6 1.2.3.4 1.2.3.4 1 2\r\n",
            "PROXY TCP4 1.2.3.4 1.2.3.4 1 70000\r\n",
            "PROXY TCP4 1.2.3.4 1.2.3.4 -1 2\r\n", "PROXY TCP4 1.2.3.4  1.2.3.4 1 2\r\n",
            "PROXY UDP4 1.2.3.4 1.2.3.4 1 2\r\n",
            "PROXY TCP4 host 1.2.3.4 1 2\r\n", "PROXY TCP4 " + String(repeating: "1", count: 107),
            "proxy TCP4 1.2.3.4 1.2.3.4 1 2\r\n",
        ])
    func v1Malformed(line: String) {
        #expect(throws: ProxyHeader.Malformed.self) { try ProxyHeader.parse(Array(line.utf8), .v1) }
    }

    private static let signature: [UInt8] = [13, 10, 13, 10, 0, 13, 10, 0x51, 0x55, 0x49, 0x54, 10]

    private static func v2(command: UInt8 = 1, family: UInt8, _ body: [UInt8]) -> [UInt8] {
        signature + [0x20 | command, family, UInt8(body.count >> 8), UInt8(body.count & 0xFF)] + body
    }

    private static let v4: [UInt8] = [203, 0, 113, 7, 10, 0, 0, 1, 0xDC, 0x04, 0x07, 0x5B]

    @Test("version 2, IPv4, behind it MQTT")
    func v2IPv4() throws {
        let bytes = Self.v2(family: 0x11, Self.v4)
        let (header, count) = try #require(try ProxyHeader.parse(bytes + [0x10], .v2))
        #expect(count == bytes.count)
        #expect(header.source?.ipAddress == "203.0.113.7")
        #expect(header.source?.port == 56324)
        #expect(!header.isTLS)
        for end in 0..<bytes.count { #expect(try ProxyHeader.parse(Array(bytes[..<end]), .v2) == nil) }
    }

    @Test("version 2, IPv6")
    func v2IPv6() throws {
        let address: [UInt8] = [0x20, 0x01, 0x0D, 0xB8] + [UInt8](repeating: 0, count: 11) + [7]
        let body = address + [UInt8](repeating: 0, count: 16) + [0, 1, 0, 2]
        #expect(try ProxyHeader.parse(Self.v2(family: 0x21, body), .v2)?.header.source?.ipAddress == "2001:db8::7")
    }

    @Test("version 2: LOCAL is the proxy itself")
    func local() throws {
        let header = try ProxyHeader.parse(Self.v2(command: 0, family: 0x11, Self.v4), .v2)?.header
        #expect(header?.source == nil && header?.isLocal == true)
        // Who came to the proxy by its Unix socket has no address either, and is somebody all the same.
        let unix = [UInt8](repeating: 0, count: 216)
        #expect(try ProxyHeader.parse(Self.v2(family: 0x31, unix), .v2)?.header == ProxyHeader())
    }

    @Test(
        "version 2: TLS and the common name of a verified certificate",
        arguments: [
            (UInt8(7), UInt8(0), true, "alice" as String?), (1, 0, true, nil), (0, 0, false, nil), (7, 1, true, nil),
        ])
    func tls(client: UInt8, verify: UInt8, isTLS: Bool, name: String?) throws {
        let part: [UInt8] = [0x22, 0, 5] + Array("alice".utf8)
        let value = [client, 0, 0, 0, verify] + part
        let body = Self.v4 + [0x04, 0, 1, 9] + [0x20, 0, UInt8(value.count)] + value
        let header = try #require(try ProxyHeader.parse(Self.v2(family: 0x11, body), .v2)).header
        #expect(header.isTLS == isTLS)
        #expect(header.commonName == name)
        #expect(header.isCertified == (name != nil))
    }

    @Test(
        "version 2: malformed",
        arguments: [
            [0x10], signature.dropLast() + [11], signature + [0x11, 0x11, 0, 12] + v4,
            signature + [0x22, 0x11, 0, 12] + v4,
            signature + [0x21, 0x41, 0, 12] + v4, signature + [0x21, 0x21, 0, 12] + v4,
            signature + [0x21, 0x11, 0xFF, 0xFF],
            v2(family: 0x11, v4 + [0x20, 0]), v2(family: 0x11, v4 + [0x20, 0, 9, 1]),
            v2(family: 0x11, v4 + [0x20, 0, 1, 1]),
        ] as [[UInt8]])
    func v2Malformed(bytes: [UInt8]) {
        #expect(throws: ProxyHeader.Malformed.self) { try ProxyHeader.parse(bytes, .v2) }
    }

    @Test("random bytes never crash and never take more than there is")
    func random() {
        var random = SeededGenerator(seed: 42)
        for _ in 0..<20_000 {
            var bytes = Self.v2(family: 0x11, Self.v4 + [0x20, 0, 5, 1, 0, 0, 0, 0])
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                bytes[Int.random(in: 12..<bytes.count, using: &random)] = .random(in: 0...255, using: &random)
            }
            if let found = try? ProxyHeader.parse(bytes, .v2) { #expect(found.bytes <= bytes.count) }
        }
    }
}
