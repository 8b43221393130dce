import MQTTClient

/// `--watch`: a line of the terminal for each topic, which always shows the latest message.
final class MessageTable {
    private var lines: [Topic: Int] = [:]
    private var isCleared = false

    func show(_ message: Message, to output: StandardOutput) {
        output.append { text in
            if !isCleared { text += "\u{1B}[2J".utf8 }
            isCleared = true
            let line = lines[message.topic] ?? lines.count + 1
            lines[message.topic] = line
            text += "\u{1B}[\(line);1H\u{1B}[2K".utf8
            // What a sender writes must not steer the terminal.
            text += "\(message.topic) ".utf8
            for byte in message.payload { text.append(byte < 0x20 || byte == 0x7F ? UInt8(ascii: ".") : byte) }
        }
    }
}
