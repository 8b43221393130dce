import Foundation
import MQTTClient
import Testing

@testable import Chat

@Suite("Events as lines") struct WordsTests {
    private static let people = [
        ChatEvent.Person(name: "alice", status: .online, isOurselves: true),
        ChatEvent.Person(name: "bob", status: .doNotDisturb, isOurselves: false),
    ]

    private static let events: [(ChatEvent, String?, String)] = [
        (.connecting(attempt: 1), nil, #""event":"connecting""#),
        (
            .connected(sessionPresent: true), "[connected] MQTT 5.0, the session of earlier goes on",
            #""sessionPresent":true"#
        ),
        (.waiting("lost", seconds: 0.25), "[lost] lost; again in 0.3 s", #""why":"lost""#),
        (.login("bob"), "[login] bob", #""event":"login""#),
        (.logout("bob", isPresumed: true), "[logout] bob (no sign of life)", #""presumed":true"#),
        (.active("bob"), "[active] bob", #""name":"bob""#),
        (.status("bob", .away), "[status] bob: AWAY", #""status":"AWAY""#),
        (.people(people), "[who] alice (you), bob [DO NOT DISTURB]", #"{"name":"alice","status":"ONLINE","you":true}"#),
        (.privateMessage(from: "bob", "a \"b\""), #"[private] bob: a "b""#, #""text":"a \"b\"""#),
        (
            .groupMessage("g", from: "bob", "hi", isOwn: false), "[group g] bob: hi",
            #""group":"g","from":"bob","text":"hi","own":false"#
        ),
        (.groupMessage("g", from: "alice", "hi", isOwn: true), "[group g] alice (you, elsewhere): hi", #""own":true"#),
        (.sending(1, .person("bob"), "hi"), nil, #""to":"bob""#),
        (
            .sent(1, .group("g"), "hi", isHeard: false),
            "[sent] to group g: hi  (the broker says that nobody listens there)", #""heard":false"#
        ),
        (.notSent(1, .person("bob"), "hi", why: "no"), "[refused] not sent to bob: hi  (no)", #""why":"no""#),
        (.joined("g"), "[joined] g", #""group":"g""#), (.left("g"), "[left] g", #""group":"g""#),
        (.looking(.group("g")), "[to] group g", #""group":"g""#),
    ]

    @Test("[CH-6] the kind first, then who and what; JSON has the same", arguments: events.indices)
    func lines(_ index: Int) throws {
        let (event, line, part) = Self.events[index]
        let told = ToldEvent(number: 7, event: event, time: 0)
        #expect(EventText.line(told, version: "MQTT 5.0") == line)
        let json = EventJSON.line(told, time: "now", version: "MQTT 5.0")
        #expect(json.contains(part))
        let object = try #require(try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String: Any])
        #expect(object["number"] as? Int == 7)
    }

    @Test("packets stand behind their event, in both forms")
    func packets() throws {
        let notes = [
            PacketNote(.sent, .publish, packetIdentifier: 3, publish: .init(qos: 1, retain: false, isDuplicate: true)),
            PacketNote(.received, .puback, packetIdentifier: 3, reasonCode: .notAuthorized),
            PacketNote(.received, .suback, packetIdentifier: 4, grants: [1, 0x87]),
        ]
        let told = ToldEvent(number: 7, event: .joined("g"), time: 0, packets: notes)
        #expect(
            EventText.line(told, version: "")
                == "[joined] g  {#7 → PUBLISH qos 1 id 3 retain 0 dup 1, ← PUBACK id 3 (\(ReasonCode.notAuthorized)), "
                + "← SUBACK id 4 granted 1,135}")
        let json = EventJSON.following(notes, of: 7, time: "now")
        let object = try #require(try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String: Any])
        #expect((object["packets"] as? [Any])?.count == 3)
    }

    @Test("any text comes back out of its JSON, which holds nothing that a terminal obeys")
    func quoting() throws {
        var texts = (0...0xFF).compactMap { Unicode.Scalar(UInt32($0)).map { "a\($0)b" } }
        texts += [
            "", #""\"#, "\u{2028}\u{2029}", "\u{202E}\u{2066}\u{FEFF}", "\u{FFFE}\u{FFFF}\u{1FFFF}", "Grüße 🐦\u{E0041}",
        ]
        for text in texts {
            let json = EventJSON.quoted(text)
            #expect(!json.unicodeScalars.contains { SafeText.isForbidden($0) })
            let object = try JSONSerialization.jsonObject(with: Data("[\(json)]".utf8)) as? [String]
            #expect(object?.first.map { Array($0.utf8) } == Array(text.utf8), "\(json)")
        }
        #expect(EventJSON.quoted("\u{1B}\u{2028}") == #""\u001b\u2028""#)
    }

    @Test("lines of a script, in whatever pieces they come")
    func splitting() {
        var splitter = LineSplitter()
        #expect(splitter.take(Array("/wh".utf8)) == [])
        #expect(splitter.take(Array("o\r\n\n/msg bob grü".utf8.dropLast())) == ["/who", ""])
        #expect(splitter.take(Array("grü".utf8.suffix(1))) == [])
        #expect(splitter.takeRest() == "/msg bob grü")
        #expect(splitter.takeRest() == nil)
    }

    @Test("groups are kept in a file per host and name, and the file goes with the last of them")
    func memory() throws {
        let folder = NSTemporaryDirectory() + "martlet-chat-\(getpid())-\(UInt32.random(in: 0 ... .max))/a/b"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let memory = try #require(GroupMemory(folder: folder, host: "localhost", name: "alice"))
        #expect(memory.read() == [])
        #expect(memory.write(["g", "my garden"]))
        #expect(memory.read() == ["g", "my garden"])
        #expect(try #require(GroupMemory(folder: folder, host: "localhost", name: "bob")).read() == [])
        #expect(memory.write([]))
        #expect(memory.read() == [] && !FileManager.default.fileExists(atPath: memory.path))
        #expect(GroupMemory(folder: folder, host: "a/b", name: "alice") == nil)
        #expect(GroupMemory.folder { $0 == "HOME" ? "/home/a" : nil } == "/home/a/.local/state/martlet/chat")
        #expect(GroupMemory.folder { $0 == "XDG_STATE_HOME" ? "/s" : nil } == "/s/martlet/chat")
        #expect(GroupMemory.folder { _ in nil } == nil)
    }
}
