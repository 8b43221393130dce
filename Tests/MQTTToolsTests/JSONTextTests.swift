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
}
