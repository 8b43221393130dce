import Foundation
import MQTTProtocol
import Testing

/// Packets that other projects test their parsers with. Where we differ on purpose, the reason stands here.
@Suite("Corpora of other projects")
struct CorpusTests {
    static let bundle = Bundle.module

    struct Entry: Sendable, CustomTestStringConvertible {
        let name: String
        let type: PacketType?
        let version: ProtocolVersion
        let bytes: [UInt8]
        let mustFail: Bool
        var testDescription: String { "\(name) \(hex(bytes))" }
    }

    static func load(_ file: String, _ make: ([String: Any]) throws -> Entry) throws -> [Entry] {
        let url = try #require(bundle.url(forResource: file, withExtension: "json", subdirectory: "Resources"))
        let list = try #require(try JSONSerialization.jsonObject(with: Data(contentsOf: url)) as? [[String: Any]])
        return try list.map(make)
    }

    static func version(_ entry: [String: Any]) -> ProtocolVersion {
        (entry["version"] as? Int).flatMap { ProtocolVersion(rawValue: UInt8($0)) } ?? .v311
    }

    static func mochi() throws -> [Entry] {
        try load("mochi-tpackets") { entry in
            let name = try #require(entry["case"] as? String)
            let type = try #require(entry["type"] as? String)
            let fails = entry["fail_first"] as? String ?? entry["expect"] as? String
            return Entry(
                name: name, type: PacketType.allCases.first { $0.description == type.uppercased() },
                version: version(entry), bytes: bytes(try #require(entry["raw"] as? String)),
                mustFail: fails.map { $0.hasPrefix("Err") } ?? false)
        }
    }

    static func mqttPacket() throws -> [Entry] {
        try load("mqtt-packet-js") { entry in
            Entry(
                name: try #require(entry["name"] as? String), type: nil, version: version(entry),
                bytes: bytes(try #require(entry["raw"] as? String)),
                mustFail: entry["kind"] as? String == "testParseError")
        }
    }

    /// The packets of FUME and F-Secure's fuzzer, one a line before a `#`: seeds for mutation.
    static func seeds() throws -> [[UInt8]] {
        try ["fume", "fsecure"].flatMap { file in
            let url = try #require(bundle.url(forResource: file, withExtension: "hex", subdirectory: "Resources"))
            let lines = try String(contentsOf: url, encoding: .utf8).split(separator: "\n")
            return lines.map { line in bytes(String(line.prefix { $0 != "#" })) }
        }
    }

    /// What either side could have meant by it.
    static func parses(_ entry: Entry) -> Bool {
        Sender.allCases.contains { sender in
            if case .packet(_, let consumed) = Packet.outcome(entry.bytes, entry.version, from: sender) {
                return consumed == entry.bytes.count
            }
            return false
        }
    }

    /// Packets these projects read and we refuse.
    static let refusedHere: [String: String] = [
        "TConnackProtocolViolationNoSession": "3.1.1 has return codes 0 to 5, this is a 5.0 code",
        "TConnackBadProtocolVersion": "a 5.0 code in 3.1.1, and a refusal with session present",
        "TConnackBadClientID": "a 5.0 code in 3.1.1, and a refusal with session present",
        "TConnackServerUnavailable": "a 5.0 code in 3.1.1, and a refusal with session present",
        "TConnackBadUsernamePassword": "a 5.0 code in 3.1.1, and a refusal with session present",
        "TConnackNotAuthorised": "a 5.0 code in 3.1.1, and a refusal with session present",
        "TConnackDropProperties": "a test of writing: the property length leaves the last one out",
        "TConnackDropPropertiesPartial": "a test of writing: the property length leaves the last one out",
        "TDisconnectDropProperties": "a test of writing: the property length leaves the last one out",
        "TPublishDup": "[3.1.1 MQTT-3.3.1-2] DUP at QoS 0",
        "TPublishSpecQos0NoPacketID": "a test of writing: the remaining length is two short",
        "TSubackInvalidSharedNoLocal": "0x82 is not in Table 3-8",
        "connect MQTT bridge 132": "MQIsdp is the name of level 3, as mosquitto says",
        "Version 4 CONACK in Version 5 mode": "[5.0 §3.2.2] 5.0 always has a property length",
        "Version 5 CONNACK test 1": "[5.0 §3.2.2] CONNACK has a reason code and a property length",
        "Version 5 CONNACK test 2": "[5.0 §3.2.2] CONNACK has a property length",
        "connack MQTT 5 with properties": "[5.0 §3.2.2.3.4] Maximum QoS is 0 or 1",
        "connack MQTT 5 with properties and doubled user properties": "[5.0 §3.2.2.3.4] Maximum QoS is 0 or 1",
        "publish MQTT 5 properties with max value varbyte": "the corpus holds only the start: we wait for the rest",
        "disconnect MQTT 5": "a client's session expiry beside a server's reference: neither may send both",
        "minimal Success AUTH with reason code and property length omitted":
            "[5.0 §3.15.2.2.2] AUTH without an authentication method",
    ]
    /// Packets these projects refuse and we read.
    static let readHere: [String: String] = [
        "TPublishDropOversize": "a test of writing to a peer with a small Maximum Packet Size",
        "Cannot parse username": "3.1 goes by the remaining length: the flag may be set and the field missing",
    ]
    /// Bodies that are faulty only because their length says more: alone they are one of 5.0's short forms.
    static let shortForms: Set<String> = ["TPubrecMalReasonCode", "TDisconnectMalReasonCode"]

    @Test("mochi-mqtt's packets")
    func mochiPackets() throws {
        let entries = try Self.mochi()
        #expect(entries.count == 129)
        for entry in entries { check(entry) }
    }

    @Test("mqtt-packet's packets")
    func mqttPacketPackets() throws {
        let entries = try Self.mqttPacket()
        #expect(entries.count == 121)
        for entry in entries { check(entry) }
    }

    private func check(_ entry: Entry) {
        let parses = Self.parses(entry)
        if entry.mustFail {
            #expect(parses == (Self.readHere[entry.name] != nil), "\(entry.testDescription)")
        } else {
            #expect(parses == (Self.refusedHere[entry.name] == nil), "\(entry.testDescription)")
        }
    }

    @Test("every difference listed is one")
    func differencesAreReal() throws {
        let names = Set(try (Self.mochi() + Self.mqttPacket()).map(\.name))
        for name in Array(Self.refusedHere.keys) + Array(Self.readHere.keys) + Self.shortForms {
            #expect(names.contains(name))
        }
    }

    @Test("mochi-mqtt's faulty bodies, whose lengths were never filled in, are refused by each decoder too")
    func mochiBodies() throws {
        for entry in try Self.mochi() where entry.mustFail {
            let type = try #require(entry.type)
            let body = Array(entry.bytes.dropFirst(2))
            for sender in Sender.allCases {
                let found = body.withUnsafeBytes { raw in
                    fault { () throws(PacketError) in
                        _ = try Packet.decode(
                            type, raw, flags: entry.bytes[0] & 0x0F, version: entry.version, from: sender)
                    }
                }
                let isRead = Self.readHere[entry.name] != nil || Self.shortForms.contains(entry.name)
                #expect((found != nil) == !isRead, "\(entry.testDescription)")
            }
        }
    }
}
