/// Header fields of HTTP/1.1, their names in lower case; a list may be spread over several fields.
struct HTTPFields {
    private var fields: [String: [String]] = [:]

    /// `nil` where a line has no name.
    init?(_ lines: ArraySlice<String>) {
        for line in lines {
            guard let colon = line.firstIndex(of: ":"), colon > line.startIndex, line.first != " ", line.first != "\t"
            else { return nil }
            let value = line[line.index(after: colon)...]
            fields[line[..<colon].lowercased(), default: []].append(value.trimmingBlanks)
        }
    }

    /// The value of a field that must not be there twice.
    subscript(name: String) -> String? {
        guard let values = fields[name], values.count == 1 else { return nil }
        return values[0]
    }

    func tokens(_ name: String) -> [String] {
        (fields[name] ?? []).flatMap { $0.split(separator: ",").map(\.trimmingBlanks) }
    }

    func has(_ name: String, token: String) -> Bool { tokens(name).contains { $0.lowercased() == token } }

    /// Bytes of a message's head, the empty line included; `nil` where it has not come whole.
    static func end(in bytes: [UInt8]) -> Int? {
        var at = bytes.startIndex
        while let found = bytes[at...].firstIndex(of: 0x0A) {
            at = found + 1
            if found >= 3, bytes[found - 1] == 0x0D, bytes[found - 2] == 0x0A, bytes[found - 3] == 0x0D { return at }
        }
        return nil
    }
}

extension StringProtocol {
    fileprivate var trimmingBlanks: String {
        let isBlank: (Character) -> Bool = { $0 == " " || $0 == "\t" }
        return String(drop(while: isBlank).reversed().drop(while: isBlank).reversed())
    }
}
