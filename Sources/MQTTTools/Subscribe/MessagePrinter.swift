import MQTTClient

/// How a message is shown: as it is, `-v`, `-F`, `--json`. Before: a conversation. After: standard output.
final class MessagePrinter {
    private let arguments: ToolArguments
    private let endsLines: Bool
    private let isPlain: Bool

    init(_ arguments: ToolArguments) {
        self.arguments = arguments
        endsLines = arguments.endsLines
        isPlain = arguments.format == nil && !arguments.isJSON
    }

    func show(_ message: Message, to output: StandardOutput) {
        if isPlain { return output.append { plain(message, to: &$0) } }
        if let format = arguments.format {
            let moment = format.needsTime ? Moment.now : Moment(seconds: 0, nanoseconds: 0)
            var isPrinted = false
            output.append { line in
                isPrinted = format.render(message, at: moment, pretty: arguments.isPretty, to: &line)
                if isPrinted, endsLines { line.append(0x0A) }
            }
            if !isPrinted { complain(format, message, output) }
            return
        }
        output.append { line in
            JSONMessage(message, .now).appendPlain(pretty: arguments.isPretty, to: &line)
            if endsLines { line.append(0x0A) }
        }
    }

    private func plain(_ message: Message, to line: inout [UInt8]) {
        if arguments.isVerbose {
            line += message.topic.utf8
            line.append(0x20)
            if message.payload.isEmpty { line += "(null)".utf8 }
        } else if message.payload.isEmpty {
            return
        }
        line += message.payload
        if endsLines { line.append(0x0A) }
    }

    private func complain(_ format: OutputFormat, _ message: Message, _ output: StandardOutput) {
        output.flush()
        guard !arguments.isQuiet else { return }
        let isJSON = format.parts.contains { if case .field(.jsonWithPayload, _) = $0 { true } else { false } }
        StandardError.say(
            isJSON
                ? "Error: Message payload is not valid JSON on topic \(message.topic.text)."
                : "Error: Message payload is not 4 or 8 bytes of floating point on topic \(message.topic.text).")
    }
}
