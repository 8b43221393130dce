import MQTTTools
import Testing

@Suite("martlet wiretap: what can be read of bytes")
struct TappedStreamTests {
    private static let connect: [UInt8] =
        [0x10, 0x1D, 0, 4] + Array("MQTT".utf8) + [4, 0xC2, 0, 60, 0, 2] + Array("me".utf8) + [0, 5]
        + Array("alice".utf8) + [0, 6] + Array("secret".utf8)

    @Test("a conversation, packet by packet, however the bytes are cut")
    func mqtt() {
        let publish: [UInt8] = [0x32, 0x0A, 0, 3] + Array("a/b".utf8) + [0, 7] + Array("hey".utf8)
        for cut in 0...(Self.connect.count) {
            var stream = TappedStream()
            var lines = stream.read(Array(Self.connect[..<cut]), .fromClient)
            lines += stream.read(Array(Self.connect[cut...]) + publish, .fromClient)
            #expect(
                lines == [
                    "CONNECT  MQTT 3.1.1, client 'me', clean start, keep-alive 60 s, user 'alice', a password of 6 bytes",
                    "PUBLISH 7  QoS 1  'a/b': \"hey\"",
                ])
            #expect(stream.read([0x20, 2, 0, 0, 0x40, 2, 0, 7], .fromServer) == ["CONNACK  Success", "PUBACK 7"])
        }
    }

    @Test("a payload that is no text comes in hex, control characters cannot reach a terminal")
    func payloads() {
        var stream = TappedStream()
        _ = stream.read(Self.connect, .fromClient)
        #expect(
            stream.read([0x30, 5, 0, 1, UInt8(ascii: "t"), 0xFF, 0x00], .fromClient)
                == ["PUBLISH  QoS 0  't': ff 00"])
        #expect(
            stream.read([0x30, 4, 0, 1, UInt8(ascii: "t"), 0x1B], .fromClient)
                == ["PUBLISH  QoS 0  't': \"\\u{1B}\""])
    }

    @Test("what is not MQTT any more is said once, and shown in hex from there on")
    func broken() {
        var stream = TappedStream()
        _ = stream.read(Self.connect, .fromClient)
        let lines = stream.read([0x00, 0x00], .fromClient)
        #expect(lines.count == 2)
        #expect(lines.first?.hasPrefix("not readable from here on: ") == true)
        #expect(stream.read([0xC0, 0x00], .fromClient).first?.contains("c0 00") == true)
    }

    @Test("TLS: records by their kind, what is in them as hex, cut where it is long")
    func tls() {
        var stream = TappedStream(hexBytesMax: 16)
        let hello: [UInt8] = [0x16, 3, 1, 0, 4, 1, 0, 0, 0]
        #expect(stream.read(Array(hello[..<6]), .fromClient) == [])
        #expect(
            stream.read(Array(hello[6...]), .fromClient)
                == [
                    "TLS handshake, 4 bytes (ClientHello)",
                    "    01 00 00 00                                      |....|",
                ])
        let lines = stream.read([0x17, 3, 3, 0, 20] + [UInt8](repeating: 0x41, count: 20), .fromServer)
        #expect(lines.first == "TLS application data, encrypted, 20 bytes")
        #expect(lines.last == "    … 4 bytes more")
    }

    @Test("addresses")
    func addresses() {
        #expect(Wiretap.Address("1884", host: "127.0.0.1")?.description == "127.0.0.1:1884")
        #expect(Wiretap.Address("broker:1883", host: "x")?.description == "broker:1883")
        #expect(Wiretap.Address("[::1]:1883", host: "x")?.description == "[::1]:1883")
        #expect(Wiretap.Address("broker", host: "x", port: 1883)?.port == 1883)
        for wrong in ["", "broker", "broker:x", ":1883", "99999"] { #expect(Wiretap.Address(wrong, host: "x") == nil) }
    }
}
