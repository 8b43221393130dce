import BrokerConfiguration
import Foundation
import Glibc
import Testing

@testable import BrokerServer

/// What `log_format json` makes of texts that JSON or a collector may stumble over.
@Suite("A log line as JSON")
struct LogJSONTests {
    @Test("any text comes back out of its line, which is one line")
    func quoting() throws {
        var texts = (0...0xFF).compactMap { Unicode.Scalar(UInt32($0)).map { "a\($0)b" } }
        texts += [#""\"#, "\u{2028}\u{2029}", "x\u{FEFF}", "\u{FFFE}\u{FFFF}\u{1FFFF}", "Grüße 🐦"]
        for text in texts {
            let json = LogLine.json(.notice, text, .none, timeval())
            #expect(json.utf8.allSatisfy { $0 >= 0x20 })
            let object = try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String: String]
            #expect(object?["message"].map { Array($0.utf8) } == Array(text.utf8), "\(json)")
        }
    }
}
