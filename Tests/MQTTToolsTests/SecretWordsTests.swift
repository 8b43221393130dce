import Testing

@testable import MQTTTools

/// What is painted over in the process list.
@Suite("Secrets in a command line")
struct SecretWordsTests {
    @Test(
        "are found, and nothing else",
        arguments: [
            ("pub -u me -P secret -m x", ["secret"]), ("pub --pw secret", ["secret"]), ("pub --pw=secret", ["secret"]),
            ("pub --psk aabb --psk-identity me", ["aabb"]), ("pub --psk=aabb", ["aabb"]),
            ("pub -L mqtt://u:p@h:1/t:x@y", ["p"]), ("sub -L mqtts://u@h/t", []),
            ("sub --url=mqtt://u:p:q@h/t", ["p:q"]),
            ("pub --proxy socks5h://u:p@h:1", ["p"]), ("pub -m http://u:p@h/", []), ("pub -t P -m pw", []),
            ("pub -P", []), ("chat --password secret --key-password=word", ["secret", "word"]),
        ])
    func found(_ line: String, _ secrets: [String]) {
        let words = line.split(separator: " ").map { Word(String($0)) }
        let found = SecretWords.ranges(in: words).map {
            String(decoding: words[$0.place].bytes[$0.range], as: UTF8.self)
        }
        #expect(found == secrets)
    }
}
