/// How it looks:
///
///     ┌ bar: who, where, the connection ─────────────────────┐
///     │ 12:04 bob: hello                    │ PEOPLE 2       │
///     │ 12:04 → bob: hello yourself ✓       │  ● alice (you) │
///     │ ⋯                                   │  ◐ bob       2 │
///     ├ bar: where we look, what Tab offers ─────────────────┤
///     └ > the line being typed ──────────────────────────────┘
///
/// A narrow terminal has no times and a small panel, or none.
extension Screen {
    /// Columns of the panel; 0 = none.
    var panelWidth: Int { size.columns >= 60 ? 20 : size.columns >= 34 ? 13 : 0 }
    /// Columns of the messages.
    var messageWidth: Int { max(1, size.columns - (panelWidth > 0 ? panelWidth + 1 : 0)) }
    /// Rows of the messages.
    var messageRows: Int { max(1, size.rows - 3) }

    package func frame() -> Frame {
        var frame = Frame(size: size)
        guard size.rows >= 4, size.columns >= 12 else {
            frame.put("too small", row: 0, column: 0, .warning)
            return frame
        }
        paintTitle(&frame)
        paintMessages(&frame)
        if panelWidth > 0 { paintPanel(&frame) }
        paintBar(&frame)
        paintInput(&frame)
        return frame
    }

    private func paintTitle(_ frame: inout Frame) {
        frame.fill(row: 0, .bar)
        let state = "\(isConnected ? "●" : "○") \(connection) "
        let width = TextWidth.of(state)
        frame.put(" \(title)", row: 0, column: 0, width: max(0, size.columns - width - 1), .bar)
        frame.put(state, row: 0, column: max(0, size.columns - width), .bar)
    }

    // MARK: Messages

    /// Rows of one line of text; the pieces of each have their own look.
    private typealias TextRow = [(text: String, style: Frame.Style)]

    private func isShown(_ entry: Entry) -> Bool {
        guard let view else { return true }
        return entry.place == view || (entry.place == nil && entry.isUrgent)
    }

    /// All the rows there are in this view at this width.
    var rowCount: Int {
        entries.reduce(0) { $0 + (isShown($1) ? rows(of: $1).count : 0) }
    }

    private func paintMessages(_ frame: inout Frame) {
        // From the newest upwards, only as far as is in sight.
        var skip = rowsBelow
        var place = messageRows
        for entry in entries.reversed() where isShown(entry) {
            for row in rows(of: entry).reversed() {
                if skip > 0 {
                    skip -= 1
                    continue
                }
                guard place > 0 else { return }
                var column = 0
                for piece in row {
                    column = frame.put(
                        piece.text, row: place, column: column, width: messageWidth - column, piece.style)
                }
                place -= 1
            }
            if place == 0 { return }
        }
    }

    private func rows(of entry: Entry) -> [TextRow] {
        let time = size.columns >= 60 && !entry.time.isEmpty ? entry.time + " " : ""
        var head: TextRow = []
        if !time.isEmpty { head.append((time, .dim)) }
        if !entry.head.isEmpty { head.append((entry.head + " ", entry.headStyle)) }
        let taken = head.reduce(0) { $0 + TextWidth.of($1.text) }
        let indent = min(TextWidth.of(time) + 2, max(0, messageWidth - 8))
        var text = entry.text
        switch entry.mark {
        case .none: break
        case .pending: text += " …"
        case .sent: text += " ✓"
        case .unheard: text += " ✓ (nobody listens there)"
        case .failed(let why): text += " ✗ \(why)"
        }
        let style: Frame.Style = if case .failed = entry.mark { .warning } else { entry.textStyle }
        var rows: [TextRow] = []
        for (number, line) in Self.wrap(text, first: messageWidth - taken, others: messageWidth - indent).enumerated() {
            rows.append((number == 0 ? head : [(String(repeating: " ", count: indent), .plain)]) + [(line, style)])
        }
        guard !entry.packets.isEmpty else { return rows }
        let packets = entry.packets.map(\.description).joined(separator: ", ")
        for line in Self.wrap(packets, first: messageWidth - indent, others: messageWidth - indent) {
            rows.append([(String(repeating: " ", count: indent), .plain), (line, .dim)])
        }
        return rows
    }

    /// Breaks text at spaces where it can, in the middle of words where it must.
    static func wrap(_ text: String, first: Int, others: Int) -> [String] {
        var lines: [String] = []
        var line = ""
        var lineWidth = 0
        var room = first < 4 ? 0 : first
        func isEmptyStart() -> Bool { line.isEmpty && lines.isEmpty }
        if room == 0 {
            lines.append("")
            room = max(2, others)
        }
        for word in text.split(separator: " ", omittingEmptySubsequences: false) {
            let width = TextWidth.of(String(word))
            let gap = line.isEmpty ? 0 : 1
            if lineWidth + gap + width <= room {
                line += (gap == 1 ? " " : "") + word
                lineWidth += gap + width
                continue
            }
            if !line.isEmpty {
                lines.append(line)
                (line, lineWidth, room) = ("", 0, max(2, others))
            }
            for character in word {
                let width = TextWidth.of(character)
                if lineWidth + width > room {
                    lines.append(line)
                    (line, lineWidth, room) = ("", 0, max(2, others))
                }
                line.append(character)
                lineWidth += width
            }
        }
        lines.append(line)
        return lines
    }

    // MARK: The panel

    private func paintPanel(_ frame: inout Frame) {
        let left = size.columns - panelWidth
        for row in 1...messageRows { frame.put("│", row: row, column: left - 1, .dim) }
        var lines: [(text: String, style: Frame.Style, unread: Int)] = []
        lines.append(("PEOPLE \(surroundings.people.count)", .bold, 0))
        for person in surroundings.people {
            let place = Place.person(person.name)
            lines.append(
                (
                    sign(person.status) + " " + person.name.text + (person.isOurselves ? " (you)" : "")
                        + (person.status == .doNotDisturb ? " DND" : person.status == .away ? " AWAY" : ""),
                    style(person.status, place), surroundings.unread[place] ?? 0
                ))
        }
        let here = Set(surroundings.people.map(\.name))
        for (place, count) in surroundings.unread.sorted(by: { $0.key < $1.key }) {
            if case .person(let name) = place, !here.contains(name) { lines.append(("○ \(name)", .dim, count)) }
        }
        lines.append(("GROUPS \(surroundings.groups.count)", .bold, 0))
        for group in surroundings.groups {
            let place = Place.group(group)
            lines.append(("# \(group)", view == place ? .bar : .group, surroundings.unread[place] ?? 0))
        }
        let isCut = lines.count > messageRows
        for (number, line) in lines.prefix(isCut ? messageRows - 1 : messageRows).enumerated() {
            let count = line.unread > 0 ? " \(line.unread) " : ""
            frame.put(line.text, row: 1 + number, column: left, width: panelWidth - count.count, line.style)
            if !count.isEmpty { frame.put(count, row: 1 + number, column: size.columns - count.count, .unread) }
        }
        if isCut { frame.put("+\(lines.count - messageRows + 1) more", row: messageRows, column: left, .dim) }
    }

    private func sign(_ status: ChatStatus) -> String {
        switch status {
        case .online: "●"
        case .away: "◐"
        case .doNotDisturb: "⊘"
        }
    }

    private func style(_ status: ChatStatus, _ place: Place) -> Frame.Style {
        if view == place { return .bar }
        return switch status {
        case .online: .online
        case .away: .away
        case .doNotDisturb: .busy
        }
    }

    // MARK: Below

    private func paintBar(_ frame: inout Frame) {
        let row = size.rows - 2
        frame.fill(row: row, .bar)
        var text: String
        if offers.count > 1 {
            text = " " + offers.map { $0.trimmed }.joined(separator: "  ")
        } else {
            text = " " + (view.map { EventText.name($0) } ?? "everything")
            let unread = surroundings.unread.values.reduce(0, +)
            if rowsBelow > 0 {
                text += "  ↓ \(rowsBelow) more below (PgDn)"
            } else if unread > 0 {
                text += "  \(unread) unread elsewhere (Ctrl-N)"
            } else {
                text += "  /help  Tab completes  Ctrl-N next view"
            }
        }
        frame.put(text, row: row, column: 0, .bar)
    }

    private func paintInput(_ frame: inout Frame) {
        let row = size.rows - 1
        var column = frame.put("> ", row: row, column: 0, .bold)
        let room = size.columns - column - 1
        // The cursor is always in sight: characters before it are left out until it is.
        var start = 0
        var width = TextWidth.of(String(input.characters[..<input.cursor]))
        while width > room, start < input.cursor {
            width -= TextWidth.of(input.characters[start])
            start += 1
        }
        frame.cursorRow = row
        frame.cursorColumn = column + width
        for character in input.characters[start...] {
            guard column + TextWidth.of(character) < size.columns else { break }
            column = frame.put(String(character), row: row, column: column)
        }
    }
}
