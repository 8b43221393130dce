import MQTTClient
import Testing

@testable import Chat

@Suite("The screen") struct ScreenTests {
    private static func screen(_ columns: Int, _ rows: Int) -> Screen {
        Screen(
            size: TerminalSize(columns: columns, rows: rows), title: "alice at mqtt://localhost:1883",
            version: "MQTT 5.0", clock: { _ in "12:04" })
    }

    private static func tell(_ screen: inout Screen, _ events: [ChatEvent], from number: Int = 1) {
        for (at, event) in events.enumerated() {
            screen.tell(ToldEvent(number: number + at, event: event, time: 0))
        }
    }

    private static func type(_ screen: inout Screen, _ text: String) {
        for character in text { _ = screen.press(.character(character), completions: { _ in [] }) }
    }

    @Test("lines, people, groups and the line being typed, at 80×24")
    func large() {
        var screen = Self.screen(80, 24)
        Self.tell(
            &screen,
            [
                .connected(sessionPresent: false), .login("bob"), .privateMessage(from: "bob", "hi"),
                .groupMessage("g", from: "bob", "hi all", isOwn: false), .sending(1, .person("bob"), "hello"),
                .sent(1, .person("bob"), "hello", isHeard: true), .sending(2, .group("g"), "out"),
                .notSent(2, .group("g"), "out", why: "not authorized"),
            ])
        screen.surroundings.people = [
            ChatEvent.Person(name: "alice", status: .online, isOurselves: true),
            ChatEvent.Person(name: "bob", status: .doNotDisturb, isOurselves: false),
        ]
        screen.surroundings.groups = ["g"]
        screen.surroundings.unread = [.person("dave"): 3]
        Self.type(&screen, "/msg b")
        let frame = screen.frame()
        let text = frame.text
        #expect(text.count == 24)
        #expect(text[0].hasPrefix(" alice at mqtt://localhost:1883") && text[0].hasSuffix("● MQTT 5.0"))
        let lines = text[1...21].map { $0.prefix(59) }.map { String($0).trimmed }.filter { !$0.isEmpty }
        #expect(
            lines == [
                "12:04 * connected", "12:04 * bob logged in", "12:04 bob: hi", "12:04 #g bob: hi all",
                "12:04 → bob: hello ✓", "12:04 → #g: out ✗ not authorized",
            ])
        let panel = text[1...21].map { String($0.dropFirst(60)).trimmed }.filter { !$0.isEmpty }
        #expect(panel == ["PEOPLE 2", "● alice (you)", "⊘ bob DND", "○ dave            3", "GROUPS 1", "# g"])
        #expect(text[22].contains("3 unread elsewhere"))
        #expect(text[23] == "> /msg b")
        #expect((frame.cursorRow, frame.cursorColumn) == (23, 8))
    }

    @Test("what keeps us from connecting is said once, however often it is tried")
    func sameFailure() {
        var screen = Self.screen(80, 24)
        let refused = ChatEvent.waiting("connection refused", seconds: 1)
        Self.tell(&screen, [.connected(sessionPresent: false), .waiting("closed", seconds: 1), refused, refused])
        Self.tell(&screen, [.waiting("connection refused", seconds: 1.7)], from: 5)
        #expect(screen.entries.map(\.text) == ["connected", "closed", "connection refused"])
        #expect(screen.frame().text[0].hasSuffix("again in 1.7 s"))
        Self.tell(&screen, [.connected(sessionPresent: true), refused], from: 6)
        #expect(screen.entries.last?.text == "connection refused" && screen.entries.count == 5)
    }

    @Test("a narrow terminal has no times; long words and wide characters are broken where they must")
    func narrow() {
        var screen = Self.screen(40, 12)
        Self.tell(&screen, [.privateMessage(from: "bob", "one two three four five six seven eight nine ten")])
        Self.tell(&screen, [.privateMessage(from: "bob", String(repeating: "漢", count: 20))], from: 2)
        let lines = screen.frame().text[1...9].map { String($0.prefix(26)).trimmed }.filter { !$0.isEmpty }
        #expect(lines[0] == "bob: one two three four")
        #expect(lines[1] == "five six seven eight")
        #expect(lines.joined().filter { $0 == "漢" }.count == 20)
        for row in screen.frame().rows { #expect(row.count == 40) }
    }

    @Test(
        "every size from nothing to large gives a frame of that size",
        arguments: [1, 2, 3, 4, 5, 11, 12, 33, 34, 60, 200])
    func sizes(_ columns: Int) {
        for rows in [1, 2, 3, 4, 5, 24] {
            var screen = Self.screen(columns, rows)
            Self.tell(&screen, [.privateMessage(from: "bob", "漢字 and more words than fit 🎉"), .help])
            screen.surroundings.people = [ChatEvent.Person(name: "bob", status: .away, isOurselves: false)]
            Self.type(&screen, "漢字 and a long line that does not fit into the row at all")
            let frame = screen.frame()
            #expect(frame.rows.count == rows && frame.rows.allSatisfy { $0.count == columns })
            #expect(frame.cursorColumn < columns && frame.cursorRow < rows)
        }
    }

    @Test("control characters never reach the terminal raw")
    func controlCharacters() {
        var screen = Self.screen(80, 24)
        let evil = "\u{1B}]0;x\u{7}\u{9B}2J\r\n\u{202E}abc\u{8}"
        Self.tell(&screen, [.privateMessage(from: "bob", evil), .refused(evil), .sending(1, .person("bob"), evil)])
        Self.tell(&screen, [.notSent(1, .person("bob"), evil, why: evil), .waiting(evil, seconds: 1)], from: 5)
        for scalar in screen.frame().text.joined().unicodeScalars {
            #expect(!SafeText.isForbidden(scalar), "\(scalar.value)")
        }
        for event in [ChatEvent.privateMessage(from: "bob", evil), .refused(evil), .note(evil)] {
            let told = ToldEvent(number: 1, event: event, time: 0)
            for line in [EventText.line(told, version: "") ?? "", EventJSON.line(told, time: "", version: "")] {
                #expect(!line.unicodeScalars.contains { SafeText.isForbidden($0) })
            }
        }
    }

    @Test("what arrives never touches the line being typed")
    func typing() {
        var screen = Self.screen(80, 24)
        Self.type(&screen, "half a li")
        Self.tell(&screen, (0..<50).map { .privateMessage(from: "bob", "message \($0)") })
        Self.type(&screen, "ne")
        #expect(screen.frame().text[23] == "> half a line")
        #expect(screen.press(.enter, completions: { _ in [] }) == .enter("half a line"))
        #expect(screen.frame().text[23] == ">")
    }

    @Test("who has scrolled up stays there while messages arrive, and comes back with PgDn; resizing loses nothing")
    func scrolling() {
        var screen = Self.screen(80, 24)
        Self.tell(&screen, (0..<100).map { .privateMessage(from: "bob", "message \($0)") })
        _ = screen.press(.pageUp, completions: { _ in [] })
        let before = screen.frame().text[1...21]
        Self.tell(&screen, (100..<110).map { .privateMessage(from: "bob", "message \($0)") }, from: 200)
        #expect(screen.frame().text[1...21] == before)
        #expect(screen.frame().text[22].contains("more below"))
        screen.resize(to: TerminalSize(columns: 40, rows: 12))
        screen.resize(to: TerminalSize(columns: 80, rows: 24))
        for _ in 0..<10 { _ = screen.press(.pageDown, completions: { _ in [] }) }
        #expect(screen.rowsBelow == 0)
        #expect(screen.frame().text[21].contains("message 109"))
        #expect(screen.entries.count == 110)
    }

    @Test("a place's view has its messages and what concerns everybody")
    func views() {
        var screen = Self.screen(80, 24)
        screen.surroundings.people = [ChatEvent.Person(name: "bob", status: .online, isOurselves: false)]
        screen.surroundings.groups = ["g"]
        Self.tell(
            &screen,
            [
                .privateMessage(from: "bob", "private"), .groupMessage("g", from: "bob", "public", isOwn: false),
                .login("carol"), .note("everybody"),
            ])
        #expect(screen.press(.nextView, completions: { _ in [] }) == .look(.person("bob")))
        Self.tell(&screen, [.looking(.person("bob"))], from: 10)
        let text = screen.frame().text[1...21].map { String($0.prefix(59)) }.joined()
        #expect(text.contains("private") && text.contains("everybody"))
        #expect(!text.contains("public") && !text.contains("carol"))
        #expect(screen.press(.nextView, completions: { _ in [] }) == .look(.group("g")))
        #expect(screen.press(.previousView, completions: { _ in [] }) == .look(nil))
        #expect(screen.press(.escape, completions: { _ in [] }) == .look(nil))
    }

    @Test("Tab walks through what is offered and shows it; --explain's packets stand below their line")
    func completionAndPackets() {
        var screen = Self.screen(80, 24)
        Self.type(&screen, "/msg b")
        let offers = { (_: String) in ["/msg bella ", "/msg bob "] }
        for expected in ["/msg bella ", "/msg bob ", "/msg bella "] {
            #expect(screen.press(.tab, completions: offers) == nil)
            #expect(screen.input.text == expected)
            #expect(screen.frame().text[22].contains("/msg bella  /msg bob"))
        }
        let publish = PacketNote(
            .received, .publish, packetIdentifier: 7,
            publish: PacketNote.Publish(qos: 2, retain: false, isDuplicate: false))
        screen.tell(
            ToldEvent(number: 1, event: .privateMessage(from: "bob", "hi"), time: 0, packets: [publish]))
        screen.follow([PacketNote(.sent, .pubcomp, packetIdentifier: 7)], of: 1)
        let text = screen.frame().text
        #expect(text[20].hasPrefix("12:04 bob: hi"))
        #expect(text[21].hasPrefix("        ← PUBLISH qos 2 id 7 retain 0, → PUBCOMP id 7"))
    }

    // MARK: Painting

    /// A terminal that understands what `Painting` says.
    private struct Glass {
        var rows: [[String]]
        var (row, column) = (0, 0)

        init(_ size: TerminalSize) {
            rows = Array(repeating: Array(repeating: " ", count: size.columns), count: size.rows)
        }

        mutating func take(_ bytes: String) {
            var rest = bytes[...]
            while let character = rest.first {
                rest = rest.dropFirst()
                guard character == "\u{1B}" else {
                    let width = TextWidth.of(character)
                    // What is overwritten by half leaves a blank.
                    if rows[row][column].isEmpty, column > 0 { rows[row][column - 1] = " " }
                    if column + width < rows[row].count, rows[row][column + width].isEmpty {
                        rows[row][column + width] = " "
                    }
                    rows[row][column] = String(character)
                    if width == 2 { rows[row][column + 1] = "" }
                    column = min(column + width, rows[row].count - 1)
                    continue
                }
                let end = rest.firstIndex { $0.isLetter } ?? rest.endIndex
                let parameters = rest[..<end].dropFirst().split(separator: ";").compactMap { Int($0) }
                switch rest[end] {
                case "H": (row, column) = (parameters[0] - 1, parameters[1] - 1)
                case "J": self = Glass(TerminalSize(columns: rows[0].count, rows: rows.count))
                default: break
                }
                rest = rest[rest.index(after: end)...]
            }
        }
    }

    @Test("painting only what has changed shows the same as painting all")
    func painting() {
        var screen = Self.screen(60, 16)
        var glass = Glass(screen.size)
        var before: Frame?
        let texts = [
            "hi", "漢字かな", "🎉🎉 wow", "a漢b字c", "e\u{301}te\u{301}", "", "long " + String(repeating: "x", count: 90),
        ]
        for step in 0..<200 {
            let text = texts[step % texts.count]
            Self.tell(&screen, [.privateMessage(from: "bob", text)], from: step + 1)
            if step % 3 == 0 { Self.type(&screen, "漢a") }
            if step % 7 == 0 { _ = screen.press(.backspace, completions: { _ in [] }) }
            if step % 11 == 0 { _ = screen.press(.enter, completions: { _ in [] }) }
            if step % 5 == 0 { _ = screen.press(.pageUp, completions: { _ in [] }) }
            if step % 9 == 0 { _ = screen.press(.pageDown, completions: { _ in [] }) }
            if step % 50 == 49 { before = nil }
            let frame = screen.frame()
            glass.take(Painting.bytes(of: frame, after: before))
            before = frame
            let (seen, meant) = (glass.rows.map { $0.joined() }, frame.rows.map { $0.map(\.text).joined() })
            #expect(seen == meant, "step \(step)")
            #expect((glass.row, glass.column) == (frame.cursorRow, frame.cursorColumn))
        }
        #expect(Painting.bytes(of: screen.frame(), after: before) == "")
    }
}

@Suite("Keys") struct KeyTests {
    @Test(
        "what terminals send",
        arguments: [
            ("a", [Key.character("a")]), ("é漢🎉", [.character("é"), .character("漢"), .character("🎉")]), ("\r", [.enter]),
            ("\t", [.tab]), ("\u{7F}", [.backspace]), ("\u{1B}[A\u{1B}[B", [.up, .down]),
            ("\u{1B}OC\u{1B}OD", [.right, .left]),
            ("\u{1B}[5~\u{1B}[6~", [.pageUp, .pageDown]), ("\u{1B}[H\u{1B}[4~", [.home, .end]),
            ("\u{3}\u{4}", [.interrupt, .endOfInput]),
            ("\u{1B}[1;5C", [.wordRight]), ("\u{1B}[3~", [.delete]), ("\u{E}\u{10}", [.nextView, .previousView]),
            ("\u{1B}[200~two\nlines\u{1B}[A\u{1B}[201~x", [.paste("two lines␛[A"), .character("x")]),
            ("\u{1B}", [.escape]),
            ("\u{1B}[999z", []),
        ])
    func keys(_ bytes: String, _ keys: [Key]) {
        var reader = KeyReader()
        #expect(reader.take(Array(bytes.utf8)) == keys)
    }

    @Test("characters and sequences that come in pieces")
    func pieces() {
        for text in ["漢🎉a", "\u{1B}[5~b", "\u{1B}[200~paste\u{1B}[201~"] {
            var whole = KeyReader()
            let expected = whole.take(Array(text.utf8))
            var reader = KeyReader()
            var keys: [Key] = []
            var bytes = Array(text.utf8)
            if bytes.first == 0x1B {  // alone it would be the key
                keys += reader.take(Array(bytes.prefix(2)))
                bytes.removeFirst(2)
            }
            for byte in bytes { keys += reader.take([byte]) }
            if text.hasPrefix("\u{1B}[200") { #expect(keys.last == .paste("paste")) } else { #expect(keys == expected) }
        }
    }

    @Test("editing, and the lines of before")
    func editing() {
        var line = InputLine()
        func press(_ keys: [Key]) { for key in keys { _ = line.edit(key) } }
        line.insert("hello world")
        press([.deleteWord])
        #expect(line.text == "hello ")
        press([.home, .delete, .character("J"), .end, .backspace, .character("!")])
        #expect(line.text == "Jello!")
        #expect(line.enter() == "Jello!")
        line.insert("second")
        #expect(line.enter() == "second")
        line.insert("draft")
        press([.up])
        #expect(line.text == "second")
        press([.up, .up])
        #expect(line.text == "Jello!")
        press([.down, .down])
        #expect(line.text == "draft")
        press([.left, .left, .deleteToEnd])
        #expect(line.text == "dra")
        press([.deleteToStart])
        line.insert("e")
        line.insert("\u{301}x")
        #expect(line.characters == ["e\u{301}", "x"])
        #expect(line.cursor == 2)
    }
}

@Suite("Packets beside events") struct PacketTrailTests {
    private func publish(_ direction: PacketDirection, _ id: UInt16) -> PacketNote {
        PacketNote(
            direction, .publish, packetIdentifier: id,
            publish: PacketNote.Publish(qos: 2, retain: false, isDuplicate: false))
    }

    @Test("what we ask for has all packets until its answer; those of others do not mix in")
    func outgoing() {
        var trail = PacketTrail()
        let ours = [
            publish(.sent, 1), PacketNote(.received, .pubrec, packetIdentifier: 1),
            PacketNote(.sent, .pubrel, packetIdentifier: 1), PacketNote(.received, .pubcomp, packetIdentifier: 1),
        ]
        for note in ours {
            #expect(trail.observe(note) == nil)
            _ = trail.observe(publish(.received, 9))
            _ = trail.observe(PacketNote(.sent, .pubrec, packetIdentifier: 9))
            _ = trail.observe(PacketNote(.sent, .pingreq))
        }
        #expect(trail.takeOutgoing() == ours)
        #expect(trail.takeOutgoing() == [])
        #expect(
            ours.map(\.description) == [
                "→ PUBLISH qos 2 id 1 retain 0", "← PUBREC id 1", "→ PUBREL id 1", "← PUBCOMP id 1",
            ])
    }
}
