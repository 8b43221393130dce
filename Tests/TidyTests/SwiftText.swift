/// Just enough of Swift's grammar to tell code from comments and string literals. It knows nested block comments,
/// multi-line and raw strings and interpolation; it does not know regex literals that hold a quote.
enum SwiftText {
    private enum Place {
        /// `parentheses` counts the open ones inside an interpolation; at the file's own level it is not looked at.
        case code(parentheses: Int)
        case string(quotes: Int, hashes: Int)
        case blockComment(depth: Int)
    }

    /// `text` with every character of comments and strings (quotes stay) replaced by a space; lines stay lines.
    static func blankingCommentsAndStrings(_ text: String) -> String {
        let bytes = Array(text.utf8)
        var out: [UInt8] = []
        out.reserveCapacity(bytes.count)
        var places: [Place] = [.code(parentheses: 0)]
        var i = 0

        func starts(_ token: StaticString) -> Bool {
            guard i + token.utf8CodeUnitCount <= bytes.count else { return false }
            return (0..<token.utf8CodeUnitCount).allSatisfy { bytes[i + $0] == token.utf8Start[$0] }
        }
        func run(of byte: UInt8, from start: Int) -> Int {
            var end = start
            while end < bytes.count, bytes[end] == byte { end += 1 }
            return end - start
        }
        func blank(_ count: Int) {
            for _ in 0..<min(count, bytes.count - i) {
                out.append(bytes[i] == UInt8(ascii: "\n") ? bytes[i] : UInt8(ascii: " "))
                i += 1
            }
        }
        func keep(_ count: Int) {
            let end = min(i + count, bytes.count)
            out.append(contentsOf: bytes[i..<end])
            i = end
        }

        while i < bytes.count {
            switch places[places.count - 1] {
            case .blockComment(let depth):
                if starts("/*") {
                    places[places.count - 1] = .blockComment(depth: depth + 1)
                    blank(2)
                } else if starts("*/") {
                    if depth == 1 {
                        places.removeLast()
                    } else {
                        places[places.count - 1] = .blockComment(depth: depth - 1)
                    }
                    blank(2)
                } else {
                    blank(1)
                }
            case .string(let quotes, let hashes):
                if bytes[i] == UInt8(ascii: "\\"), run(of: UInt8(ascii: "#"), from: i + 1) >= hashes {
                    let after = i + 1 + hashes
                    if after < bytes.count, bytes[after] == UInt8(ascii: "(") {
                        blank(1 + hashes)
                        keep(1)
                        places.append(.code(parentheses: 1))
                    } else {
                        blank(2 + hashes)
                    }
                } else if run(of: UInt8(ascii: "\""), from: i) >= quotes,
                    run(of: UInt8(ascii: "#"), from: i + quotes) >= hashes
                {
                    keep(quotes + hashes)
                    places.removeLast()
                } else if quotes == 1, bytes[i] == UInt8(ascii: "\n") {
                    places.removeLast()  // not a string after all: never swallow the rest of the file
                    keep(1)
                } else {
                    blank(1)
                }
            case .code(let parentheses):
                if starts("//") {
                    while i < bytes.count, bytes[i] != UInt8(ascii: "\n") { blank(1) }
                } else if starts("/*") {
                    places.append(.blockComment(depth: 1))
                    blank(2)
                } else if bytes[i] == UInt8(ascii: "\"") || bytes[i] == UInt8(ascii: "#") {
                    let hashes = run(of: UInt8(ascii: "#"), from: i)
                    let found = run(of: UInt8(ascii: "\""), from: i + hashes)
                    guard found > 0 else {
                        keep(hashes)  // #if, #expect
                        continue
                    }
                    let quotes = found >= 3 ? 3 : 1
                    keep(hashes + quotes)
                    places.append(.string(quotes: quotes, hashes: hashes))
                } else {
                    if places.count > 1 {
                        if bytes[i] == UInt8(ascii: "(") {
                            places[places.count - 1] = .code(parentheses: parentheses + 1)
                        }
                        if bytes[i] == UInt8(ascii: ")") {
                            if parentheses == 1 {
                                places.removeLast()
                            } else {
                                places[places.count - 1] = .code(parentheses: parentheses - 1)
                            }
                        }
                    }
                    keep(1)
                }
            }
        }
        return String(decoding: out, as: UTF8.self)
    }
}
