/// How a file looks: how long, how wide, and whether it says what it is for.
enum Shape {
    static let linesMax = 400
    static let columnsMax = 140
    static let shimLinesMax = 100

    /// Files longer than `linesMax`, with the length they had when this was written. A number here may only shrink,
    /// and a file that fits again leaves the list.
    static let longFiles: [String: Int] = [:]

    static func checkLength(_ file: SourceFile, known: [String: Int] = longFiles) -> [Finding] {
        let count = file.lines.count
        if let before = known[file.path] {
            if count > before {
                return [Finding(file.path, "\(count) lines, \(before) before: a long file may only shrink")]
            }
            if count <= linesMax { return [Finding(file.path, "fits now: take it out of `Shape.longFiles`")] }
            return []
        }
        return count > linesMax
            ? [Finding(file.path, "\(count) lines of at most \(linesMax): give it one reason to change")] : []
    }

    static func checkShim(path: String, text: String) -> [Finding] {
        let count = text.split(separator: "\n", omittingEmptySubsequences: false).count
        return count > shimLinesMax
            ? [Finding(path, "\(count) lines of at most \(shimLinesMax): a C shim only bridges, it does not decide")]
            : []
    }

    /// The title of a test is one string and may be as long as the rule it quotes.
    static func checkWidth(_ file: SourceFile) -> [Finding] {
        file.lines.enumerated().compactMap { index, line in
            line.count > columnsMax && line.firstMatch(of: /@Test\("|^\s*"\[/) == nil
                ? Finding(file.path, line: index + 1, "\(line.count) characters of at most \(columnsMax)") : nil
        }
    }

    /// The first declaration at the left margin has a doc comment. An extension may carry it on its first member instead,
    /// or as a comment at the head of the file.
    static func checkStory(_ file: SourceFile) -> [Finding] {
        let declaration =
            #/
            (?:@\w+(?:\([^)]*\))?\s+)*
            (?:(?:public|package|internal|fileprivate|private|final|indirect|nonisolated)\s+)*
            (extension|struct|class|enum|actor|protocol|func|typealias|let|var)\b
            /#
        guard
            let index = file.code.firstIndex(where: { $0.prefixMatch(of: declaration) != nil }),
            let kind = file.code[index].prefixMatch(of: declaration)?.1
        else { return [] }
        if hasStory(above: index, in: file) { return [] }
        if kind == "extension" {
            if file.lines.first?.hasPrefix("//") == true { return [] }
            let member = file.code[(index + 1)...].firstIndex {
                $0.contains(/\b(?:func|var|let|init|subscript|struct|enum|case)\b/)
            }
            if let member, hasStory(above: member, in: file) { return [] }
        }
        return [
            Finding(
                file.path, line: index + 1,
                "open the main type with `///`: what it owns, what it does not, where the story goes")
        ]
    }

    private static func hasStory(above index: Int, in file: SourceFile) -> Bool {
        var above = index - 1
        while above >= 0, file.code[above].prefixMatch(of: /\s*@/) != nil { above -= 1 }
        guard above >= 0 else { return false }
        return file.lines[above].prefixMatch(of: /\s*\/\/\//) != nil
    }
}
