import BrokerConfiguration
import Foundation
import Testing

@Suite("Docs/guides/configuration.md")
struct GuideTests {
    private static let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appendingPathComponent("Docs/guides/configuration.md")
    private static let begin =
        "<!-- The tables are made from the code: MARTLET_WRITE_GUIDE=1 swift test --filter GuideTests -->\n"
    private static let end = "<!-- End of the tables. -->\n"

    @Test("lists exactly the rows of the table")
    func tables() throws {
        var text = try String(contentsOf: Self.path, encoding: .utf8)
        let begin = try #require(text.range(of: Self.begin)).upperBound
        let end = try #require(text.range(of: Self.end)).lowerBound
        if ProcessInfo.processInfo.environment["MARTLET_WRITE_GUIDE"] != nil {
            text.replaceSubrange(begin..<end, with: "\n\(ConfigurationReference.markdown)\n")
            try text.write(to: Self.path, atomically: true, encoding: .utf8)
            return
        }
        #expect(
            text[begin..<end] == "\n\(ConfigurationReference.markdown)\n",
            "write it anew with MARTLET_WRITE_GUIDE=1 swift test --filter GuideTests")
    }

    @Test("its examples load without a warning")
    func examples() throws {
        let text = try String(contentsOf: Self.path, encoding: .utf8)
        let examples = text.components(separatedBy: "```conf\n").dropFirst().map {
            $0.components(separatedBy: "```")[0]
        }
        #expect(examples.count >= 3)
        for example in examples {
            let found = try remarks(example)
            #expect(found == [], "\(example)")
        }
    }
}
