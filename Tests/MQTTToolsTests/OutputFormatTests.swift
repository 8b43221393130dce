import MQTTClient
import Testing

@testable import MQTTTools

/// `-F`, field by field. What is expected here was printed by mosquitto_sub 2.0.11 for the same message, but where it says
/// otherwise.
@Suite("The -F language")
struct OutputFormatTests {
    static let moment = Moment(seconds: 1_795_293_288, nanoseconds: 12_345_678)

    static func print(_ format: String, _ message: Message, pretty: Bool = false) throws -> String? {
        var line: [UInt8] = []
        let isPrinted = try OutputFormat(Array(format.utf8)).render(message, at: moment, pretty: pretty, to: &line)
        return isPrinted ? String(decoding: line, as: UTF8.self) : nil
    }

    static let plain = Message("f/topic", "abcdef")

    @Test(
        "prints fields of a message",
        arguments: [
            ("%p", "abcdef"), ("%5p", "abcde"), ("%-5p|", "abcde|"), ("%05p", "abcde"), ("%2p", "ab"),
            ("%8p", "  abcdef"), ("%08p", "00abcdef"), ("%-8p|", "abcdef  |"), ("%.2p", "abcdef"),
            ("%x", "616263646566"), ("%X", "616263646566"), ("%10x", "    616263"), ("%-10x|", "616263    |"),
            ("%010X", "0000616263"), ("%3x", " 61"),
            // 2.1: nibbles in groups, and what stands between them.
            ("%.2x", "61 62 63 64 65 66"), ("%.2:x", "61:62:63:64:65:66"), ("%.4-X", "6162-6364-6566"),
            ("%l", "6"), ("%5l", "    6"), ("%-5l|", "6    |"), ("%05l", "00006"), ("%t", "f/topic"),
            ("%10t", "   f/topic"), ("%-10t|", "f/topic   |"), ("%3t", "f/topic"), ("%.3t", "f/t"),
            ("%10.3t", "       f/t"), ("%-10.3t|", "f/t       |"), ("%010t", "   f/topic"), ("%5q", "0"), ("%5r", "0"),
            ("%5m", "    0"), ("%m", "0"), ("%A|%5A|%-5A|%05A", "|     |     |00000"),
            ("%C|%5C|%.2C|%8.2C|%-8.2C|", "|     ||        |        |"), ("%D|", "|"), ("%E|%5E|%05E", "|     |00000"),
            ("%F|%3F", "|   "), ("%P|", "|"), ("%S|%5S", "|     "),
            // mosquitto 2.0 prints no blanks for this one.
            ("%R|%8R", "|        "), ("%%", "%"), ("%5%|", "%|"),
            (#"a\n\t\e\0\a\r\v\\b"#, "a\n\t\u{1B}\0\u{7}\r\u{B}\\b"),
            ("@@x", "@x"), ("@N", "012345678"), ("%U", "1795293288.012345678"), ("plain text", "plain text"), ("", ""),
        ])
    func fields(_ format: String, _ text: String) throws {
        #expect(try Self.print(format, Self.plain) == text)
    }

    static var rich: Message {
        var properties = Message.Properties()
        properties.contentType = "text/x"
        properties.responseTopic = "r/t"
        properties.correlationData = Array("co".utf8)
        properties.messageExpiryIntervalSeconds = 77
        properties.payloadFormatIndicator = .utf8
        properties.userProperties = [.init("a", "b"), .init("c", "d")]
        return Message("f/topic", "x", qos: .exactlyOnce, retain: true, properties: properties)
    }

    @Test(
        "prints properties",
        arguments: [
            ("%C", "text/x"), ("%.4C", "text"), ("%8C|", "  text/x|"), ("%D", "co"), ("%E", "77"), ("%05E", "00077"),
            ("%F", "1"), ("%P", "a:b c:d"), ("%R", "r/t"), ("%q%r", "21"),
        ])
    func properties(_ format: String, _ text: String) throws {
        #expect(try Self.print(format, Self.rich) == text)
    }

    @Test("prints floating point in the machine's order, and refuses other lengths")
    func floatingPoint() throws {
        var message = Message("a", withUnsafeBytes(of: Float(1.5)) { Array($0) })
        #expect(try Self.print("%f", message) == "1.500000")
        #expect(try Self.print("%8.2f", message) == "    1.50")
        #expect(try Self.print("%d", message) == nil)
        message.payload = withUnsafeBytes(of: -2.25) { Array($0) }
        #expect(try Self.print("%.1d", message) == "-2.2")
        #expect(try Self.print("%f", message) == nil)
    }

    /// `tst` is local time, so it is taken out.
    private static func withoutTime(_ text: String?) -> String? {
        guard let text, let from = text.firstIndex(of: ",") else { return text }
        return String(text[text.index(after: from)...])
    }

    @Test("writes JSON as mosquitto 2.0 does")
    func json() throws {
        #expect(
            Self.withoutTime(try Self.print("%j", Message("t", "a \"b\" é")))
                == #""topic":"t","qos":0,"retain":0,"payloadlen":8,"payload":"a \"b\" é"}"#)
        #expect(
            Self.withoutTime(try Self.print("%j", Message("t", "")))
                == #""topic":"t","qos":0,"retain":0,"payloadlen":0,"payload":null}"#)
        #expect(
            Self.withoutTime(try Self.print("%J", Message("t", #"{"a":1, "b":[1,2.50,null]}"#)))
                // mosquitto 2.0 writes 2.5: it reads numbers and writes them anew.
                == #""topic":"t","qos":0,"retain":0,"payloadlen":26,"payload":{"a":1,"b":[1,2.50,null]}}"#)
        #expect(
            Self.withoutTime(try Self.print("%j", Self.rich))
                == #""topic":"f/topic","qos":2,"retain":1,"payloadlen":1,"properties":{"user-properties":{"a":"b","c":"d"},"#
                + #""content-type":"text/x","response-topic":"r/t","correlation-data":"co","payload-format-indicator":1,"#
                + #""message-expiry-interval":77},"payload":"x"}"#)
        #expect(try Self.print("%J", Message("t", "not json")) == nil)
        // Bytes that are no text: mosquitto 2.0 writes them into the JSON as they are, or stops at a zero.
        #expect(
            Self.withoutTime(try Self.print("%j", Message("t", [0xFF, 0x00])))
                == #""topic":"t","qos":0,"retain":0,"payloadlen":2,"payloadBase64":"/wA="}"#)
    }

    @Test("writes JSON with tabs, as mosquitto 2.0 does")
    func pretty() throws {
        let text = try #require(try Self.print("%J", Message("t", #"{"b":[1,{}],"c":[]}"#), pretty: true))
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        #expect(lines.first == "{" && lines.last == "}")
        #expect(
            Array(lines.dropFirst(2)) == [
                "\t\"topic\":\t\"t\",", "\t\"qos\":\t0,", "\t\"retain\":\t0,", "\t\"payloadlen\":\t19,",
                "\t\"payload\":\t{", "\t\t\"b\":\t[1, {", "\t\t\t}],", "\t\t\"c\":\t[]", "\t}", "}",
            ])
    }

    @Test(
        "knows what JSON is",
        arguments: [
            ("1", true), ("-0.5e+3", true), ("01", false), ("1.", false), (".5", false), ("+1", false),
            ("\"\\u00e4\"", true),
            ("\"\\x\"", false), ("\"\u{1}\"", false), ("{\"a\":1,}", false), ("[1,]", false), ("[1 2]", false),
            ("nul", false),
            (" [ ] ", true), ("{}", true), ("", false), ("true false", false), ("{a:1}", false), ("\"open", false),
            ("[[[[]]]]", true),
        ])
    func validity(_ text: String, _ isJSON: Bool) {
        #expect((JSONDocument.rewrite(Array(text.utf8), pretty: false) != nil) == isJSON)
    }

    @Test("does not follow JSON without end")
    func depth() {
        #expect(JSONDocument.rewrite(Array(repeating: UInt8(ascii: "["), count: 1_000_000), pretty: false) == nil)
    }

    @Test("Base64", arguments: [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")])
    func base64(_ text: String, _ encoded: String) {
        #expect(Base64.encode(Array(text.utf8)) == Array(encoded.utf8))
    }
}
