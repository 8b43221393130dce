/// What a terminal is to show: rows of cells, and where the cursor stands.
package struct Frame: Sendable, Equatable {
    package let size: TerminalSize
    package internal(set) var rows: [[Cell]]
    package internal(set) var cursorRow = 0
    package internal(set) var cursorColumn = 0

    /// One column. A character of two columns is followed by a cell without text.
    package struct Cell: Sendable, Equatable {
        var text: String
        var style: Style

        static let blank = Cell(text: " ", style: .plain)
        /// The second half of a wide character.
        var isSecondHalf: Bool { text.isEmpty }
    }

    /// How a cell looks, as the numbers of SGR.
    enum Style: String, Sendable {
        case plain = "0"
        case bold = "0;1"
        case dim = "0;2"
        case bar = "0;7"
        case warning = "0;1;31"
        case online = "0;32"
        case away = "0;33"
        case busy = "0;31"
        case name = "0;1;36"
        case group = "0;1;35"
        case own = "0;34"
        case unread = "0;1;7;33"
    }

    init(size: TerminalSize) {
        self.size = size
        rows = Array(repeating: Array(repeating: .blank, count: size.columns), count: size.rows)
    }

    /// Puts text into a row; what does not fit is cut off.
    /// - Returns: the column behind it.
    @discardableResult
    mutating func put(_ text: String, row: Int, column: Int, width: Int? = nil, _ style: Style = .plain) -> Int {
        guard rows.indices.contains(row) else { return column }
        let end = min(size.columns, width.map { column + $0 } ?? size.columns)
        var at = column
        for character in text {
            let width = TextWidth.of(character)
            guard width > 0 else { continue }
            guard at + width <= end else { break }
            rows[row][at] = Cell(text: String(character), style: style)
            if width == 2 { rows[row][at + 1] = Cell(text: "", style: style) }
            at += width
        }
        return at
    }

    /// Gives a whole row one look.
    mutating func fill(row: Int, from column: Int = 0, _ style: Style) {
        guard rows.indices.contains(row) else { return }
        for at in column..<max(column, size.columns) { rows[row][at] = Cell(text: " ", style: style) }
    }

    /// The text of each row, without spaces at its end: for tests and for reading aloud.
    package var text: [String] {
        rows.map { row in
            var line = row.map(\.text).joined()
            while line.last == " " { line.removeLast() }
            return line
        }
    }
}

/// Columns and rows.
package struct TerminalSize: Sendable, Hashable {
    package var columns: Int
    package var rows: Int

    package init(columns: Int, rows: Int) {
        (self.columns, self.rows) = (max(1, columns), max(1, rows))
    }
}

/// What to send to a terminal so that it shows a frame: only what has changed since the one before.
package enum Painting {
    private static let escape = "\u{1B}["

    /// - Parameter before: what it shows now; nil = nobody knows, paint all.
    package static func bytes(of frame: Frame, after before: Frame?) -> String {
        var out = ""
        let known = before.flatMap { $0.size == frame.size ? $0 : nil }
        if known == nil { out += "\(escape)0m\(escape)2J" }
        var style: Frame.Style?
        for row in frame.rows.indices where known?.rows[row] != frame.rows[row] {
            paint(frame.rows[row], known?.rows[row], row: row, &style, into: &out)
        }
        guard !out.isEmpty || before?.cursorColumn != frame.cursorColumn || before?.cursorRow != frame.cursorRow else {
            return ""
        }
        let cursor = "\(escape)0m\(escape)\(frame.cursorRow + 1);\(frame.cursorColumn + 1)H\(escape)?25h"
        return out.isEmpty ? cursor : "\(escape)?25l" + out + cursor
    }

    private static func paint(
        _ row: [Frame.Cell], _ before: [Frame.Cell]?, row number: Int, _ style: inout Frame.Style?,
        into out: inout String
    ) {
        // Where the terminal's cursor is, as far as both agree on widths: after anything but ASCII it is told anew.
        var cursor: Int?
        for column in row.indices where !row[column].isSecondHalf && isChanged(column, row, before) {
            let cell = row[column]
            if cursor != column { out += "\(escape)\(number + 1);\(column + 1)H" }
            if style != cell.style {
                out += "\(escape)\(cell.style.rawValue)m"
                style = cell.style
            }
            out += cell.text
            cursor = cell.text.utf8.count == 1 ? column + 1 : nil
        }
    }

    /// A character that was overwritten by half has to be painted too, and so has a blank that a wide one covered.
    private static func isChanged(_ column: Int, _ row: [Frame.Cell], _ before: [Frame.Cell]?) -> Bool {
        guard let before else { return true }
        if before[column] != row[column] { return true }
        let next = column + 1
        if next < row.count, before[next] != row[next], row[next].isSecondHalf || before[next].isSecondHalf {
            return true
        }
        return column > 0 && before[column - 1] != row[column - 1]
            && (TextWidth.of(before[column - 1].text) == 2 || TextWidth.of(row[column - 1].text) == 2)
    }
}
