import MQTTProtocol
import SeededRandom
import Testing

@Suite("Text and topics")
struct TextTests {
    private func isValid(_ bytes: [UInt8]) -> Bool { bytes.withUnsafeBytes { UTF8Validation.isValid($0) } }

    @Test(
        "[5.0 MQTT-1.5.4-1] [5.0 MQTT-1.5.4-2] refused",
        arguments: [
            "00", "'abcdefgh' 00", "'abc' 00 'defgh'", "80", "bf", "c0 80", "c0 af", "c1 bf", "c2", "c2 41", "e0 80 80",
            "e0 9f bf", "e1 80", "ed a0 80", "ed bf bf", "ef bf", "f0 80 80 80", "f0 8f bf bf", "f1 80 80",
            "f4 90 80 80", "f5 80 80 80", "fe", "ff", "'abcdefg' c3",
        ])
    func refused(_ text: String) {
        #expect(!isValid(bytes(text)))
        #expect(MQTTString(bytes(text)) == nil)
    }

    @Test(
        "[5.0 MQTT-1.5.4-3] accepted, control characters and noncharacters too",
        arguments: [
            "", "01", "1f", "7f", "c2 80", "df bf", "e0 a0 80", "ed 9f bf", "ee 80 80", "ef bb bf", "ef bf bf",
            "f0 90 80 80", "f4 8f bf bf", "'abcdefgh'", "'abcdefg' c3a9", "'abcdefghi' f09d849e '12345678'",
        ])
    func accepted(_ text: String) {
        #expect(isValid(bytes(text)))
        #expect(MQTTString(bytes(text))?.bytes == bytes(text), "[5.0 MQTT-1.5.4-3] kept as it is")
    }

    @Test("agrees with the standard library on random bytes")
    func agrees() {
        var random = SeededGenerator(seed: 11)
        let interesting: [UInt8] = [
            0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC1, 0xC2, 0xDF, 0xE0, 0xED, 0xEF, 0xF0, 0xF4, 0xF5,
        ]
        for _ in 0..<100_000 {
            let sample = (0..<Int.random(in: 0...12, using: &random)).map { _ in
                interesting[Int.random(in: 0..<interesting.count, using: &random)]
            }
            let expected = !sample.contains(0) && String(validating: sample, as: UTF8.self) != nil
            #expect(isValid(sample) == expected, "\(hex(sample))")
        }
    }

    @Test("[5.0 MQTT-4.7.3-4] strings are compared byte by byte")
    func comparesBytes() {
        #expect("\u{E9}" == "e\u{301}", "Swift normalizes")
        #expect(MQTTString("\u{E9}") != MQTTString("e\u{301}"))
    }

    @Test("what is shown to people cannot write to their terminal")
    func escapes() {
        #expect(MQTTString("a\u{1B}[2J\u{9B}\nß").description == #"a\u{1B}[2J\u{9B}\u{A}ß"#)
    }

    @Test(
        "[5.0 §4.7] names and filters",
        arguments: [
            ("", false, false), ("a", true, true), ("/", true, true), ("a//b", true, true), (" ", true, true),
            ("$SYS/x", true, true), ("#", false, true), ("+", false, true), ("a/#", false, true), ("/#", false, true),
            ("+/+", false, true), ("+/a/#", false, true), ("/+", false, true), ("a/+/b", false, true),
            ("a#", false, false), ("#/a", false, false), ("a/#/b", false, false), ("##", false, false),
            ("a+", false, false), ("+a", false, false), ("a/+b/c", false, false), ("++", false, false),
            ("a/b+/c", false, false), ("#+", false, false), ("+#", false, false),
        ])
    func syntax(_ text: String, _ isName: Bool, _ isFilter: Bool) {
        Array(text.utf8).withUnsafeBytes {
            #expect(TopicSyntax.isValidName($0) == isName)
            #expect(TopicSyntax.isValidFilter($0) == isFilter)
        }
    }

    @Test(
        "[5.0 MQTT-4.8.2-1] [5.0 MQTT-4.8.2-2] shared filters",
        arguments: [
            ("a/b", SharedFilterParse.notShared), ("$share", .notShared), ("$shared/g/a", .notShared),
            ("$share/", .invalid), ("$share/g", .invalid), ("$share/g/", .invalid), ("$share//a", .invalid),
            ("$share/+/a", .invalid), ("$share/g#/a", .invalid), ("$share/g/a#", .invalid),
            ("$share/g/a", .shared(group: 7..<8, filter: 9..<10)),
            ("$share/g//a", .shared(group: 7..<8, filter: 9..<11)),
            ("$share/grp/+/#", .shared(group: 7..<10, filter: 11..<14)),
        ])
    func shared(_ text: String, _ expected: SharedFilterParse) {
        Array(text.utf8).withUnsafeBytes { #expect(TopicSyntax.sharedFilter($0) == expected) }
    }
}
