import Foundation
import Testing

@testable import MQTTTools

/// What `martlet json` and `%j` write.
@Suite("Text as a JSON string")
struct JSONTextTests {
    @Test(
        "escapes what JSON demands and leaves the rest",
        arguments: [
            ("", #""""#), ("plain", #""plain""#), (#"a"b\c"#, #""a\"b\\c""#), ("\u{8}\t\n\u{C}\r", #""\b\t\n\f\r""#),
            ("\u{0}\u{1F}", #""\u0000\u001f""#), ("Grüße 🐦/", #""Grüße 🐦/""#),
        ])
    func quotes(_ text: String, _ json: String) {
        #expect(JSONText.quoted(text) == json)
    }

    @Test("any text comes back; what is no control character of JSON's stays as it is")
    func comesBack() throws {
        var texts = (0...0xFF).compactMap { Unicode.Scalar(UInt32($0)).map { "a\($0)b" } }
        texts += ["\u{2028}\u{2029}", "x\u{FEFF}", "\u{FFFE}\u{FFFF}\u{1FFFF}", "\u{10FFFF}"]
        for text in texts {
            let json = JSONText.quoted(text)
            #expect(json.utf8.allSatisfy { $0 >= 0x20 })
            let object = try JSONSerialization.jsonObject(with: Data("[\(json)]".utf8)) as? [String]
            #expect(object?.first.map { Array($0.utf8) } == Array(text.utf8), "\(json)")
        }
        #expect(JSONText.quoted("\u{7F}\u{2028}") == "\"\u{7F}\u{2028}\"")
    }

    @Test(
        "bytes that are no UTF-8 become U+FFFD",
        arguments: [[0xFF], [0x61, 0xC3], [0xED, 0xA0, 0x80], [0xC0, 0x80]] as [[UInt8]])
    func repairs(_ bytes: [UInt8]) {
        var line: [UInt8] = []
        JSONText.append(bytes, to: &line)
        let text = String(validating: line, as: UTF8.self)
        #expect(text?.contains("\u{FFFD}") == true)
    }
}
