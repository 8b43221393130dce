package import MQTTClient

/// What each field of a format prints. Before: a message. After: bytes for standard output.
extension OutputFormat {
    /// Appends what the format makes of a message.
    /// - Returns: false where the payload was to be embedded as JSON and is none: nothing is printed then.
    package func render(
        _ message: Message, at moment: Moment, pretty: Bool, topicAlias: UInt16? = nil, to line: inout [UInt8]
    ) -> Bool {
        let start = line.count
        for part in parts {
            switch part {
            case .bytes(let bytes): line += bytes
            case .time(let letter): moment.append(strftime: letter, to: &line)
            case .nanoseconds: line += Decimal.padded(moment.nanoseconds, 9)
            case .field(let field, let shape):
                guard render(field, shape, message, moment, pretty, to: &line) else {
                    line.removeSubrange(start...)
                    return false
                }
            }
        }
        return true
    }

    private func render(
        _ field: Field, _ shape: Shape, _ message: Message, _ moment: Moment, _ pretty: Bool, to line: inout [UInt8]
    ) -> Bool {
        switch field {
        case .topicAlias: blank(shape, zeros: true, to: &line)  // resolved before a message is handed over
        case .contentType: text(message.properties.contentType.map { Array($0.utf8) }, shape, to: &line)
        case .correlationData: line += message.properties.correlationData ?? []
        case .double, .float: return floatingPoint(field, message.payload, shape, to: &line)
        case .expiry: integer(message.properties.messageExpiryIntervalSeconds.map(Int.init), shape, to: &line)
        case .payloadFormat:
            integer(message.properties.payloadFormatIndicator.map { Int($0.rawValue) }, shape, to: &line)
        case .isoTime: text(moment.iso, shape, to: &line)
        case .json: JSONMessage(message, moment).append(embedsPayload: false, pretty: pretty, to: &line)
        case .jsonWithPayload:
            return JSONMessage(message, moment).append(embedsPayload: true, pretty: pretty, to: &line)
        case .length: integer(message.payload.count, shape, to: &line)
        case .messageIdentifier: integer(Int(message.receipt?.packetIdentifier ?? 0), shape, to: &line)
        case .payload: payload(message.payload, shape, to: &line)
        case .userProperties:
            for (place, property) in message.properties.userProperties.enumerated() {
                if place > 0 { line.append(0x20) }
                line += property.name.utf8
                line.append(UInt8(ascii: ":"))
                line += property.value.utf8
            }
        case .qos: line.append(UInt8(ascii: "0") + message.qos.rawValue)
        case .responseTopic: text(message.properties.responseTopic?.utf8, shape, to: &line)
        case .retain: line.append(message.retain ? UInt8(ascii: "1") : UInt8(ascii: "0"))
        case .subscriptionIdentifier:
            integer(message.receipt?.subscriptionIdentifiers.first.map(Int.init), shape, to: &line)
        case .topic: text(message.topic.utf8, shape, to: &line)
        case .unixTime:
            line += String(moment.seconds).utf8
            line.append(UInt8(ascii: "."))
            line += Decimal.padded(moment.nanoseconds, 9)
        case .hexLower: hexadecimal(message.payload, shape, Self.lower, to: &line)
        case .hexUpper: hexadecimal(message.payload, shape, Self.upper, to: &line)
        }
        return true
    }

    private func blank(_ shape: Shape, zeros: Bool, to line: inout [UInt8]) {
        line += repeatElement(zeros && shape.padsZero ? UInt8(ascii: "0") : 0x20, count: shape.width)
    }

    private func integer(_ value: Int?, _ shape: Shape, to line: inout [UInt8]) {
        guard let value else { return blank(shape, zeros: true, to: &line) }
        pad(Array(String(value).utf8), shape, zeros: !shape.isLeft, to: &line)
    }

    private func text(_ value: [UInt8]?, _ shape: Shape, to line: inout [UInt8]) {
        guard let value else { return blank(shape, zeros: false, to: &line) }
        pad(shape.precision.map { Array(value.prefix($0)) } ?? value, shape, zeros: false, to: &line)
    }

    private func pad(_ value: [UInt8], _ shape: Shape, zeros: Bool, to line: inout [UInt8]) {
        let missing = repeatElement(
            zeros && shape.padsZero ? UInt8(ascii: "0") : UInt8(0x20), count: max(0, shape.width - value.count))
        if shape.isLeft {
            line += value
            line += missing
        } else {
            line += missing
            line += value
        }
    }

    /// A payload longer than the width is cut there.
    private func payload(_ payload: [UInt8], _ shape: Shape, to line: inout [UInt8]) {
        guard shape.width > 0 else { return line += payload }
        let shown = payload.prefix(shape.width)
        let missing = repeatElement(
            shape.padsZero ? UInt8(ascii: "0") : UInt8(0x20), count: shape.width - shown.count)
        if !shape.isLeft { line += missing }
        line += shown
        if shape.isLeft { line += missing }
    }

    private func hexadecimal(_ payload: [UInt8], _ shape: Shape, _ digits: [UInt8], to line: inout [UInt8]) {
        // As mosquitto counts: the payload is cut at the width, and then at half of that.
        let count = shape.width > 0 ? min(payload.count, shape.width) / 2 : payload.count
        var text: [UInt8] = []
        text.reserveCapacity(count * 2)
        for byte in payload.prefix(count) {
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        if let group = shape.precision, group > 0 {
            let separator = shape.separator ?? 0x20
            text = stride(from: 0, to: text.count, by: group)
                .map { Array(text[$0..<min($0 + group, text.count)]) }
                .joined(separator: [separator]).map { $0 }
        }
        guard shape.width > 0 else { return line += text }
        let missing = repeatElement(
            shape.padsZero ? UInt8(ascii: "0") : UInt8(0x20), count: max(0, shape.width - text.count))
        if !shape.isLeft { line += missing }
        line += text
        if shape.isLeft { line += missing }
    }

    /// `%f` and `%d`: a payload of 4 or 8 bytes as the machine's own floating point.
    private func floatingPoint(
        _ field: Field, _ payload: [UInt8], _ shape: Shape, to line: inout [UInt8]
    ) -> Bool {
        let value: Double? = payload.withUnsafeBytes { bytes in
            switch (field, bytes.count) {
            case (.float, 4): Double(bytes.loadUnaligned(as: Float.self))
            case (.double, 8): bytes.loadUnaligned(as: Double.self)
            default: nil
            }
        }
        guard let value else { return false }
        pad(Array(Decimal.text(value, places: shape.precision ?? 6).utf8), shape, zeros: !shape.isLeft, to: &line)
        return true
    }

    private static let lower = Array("0123456789abcdef".utf8)
    private static let upper = Array("0123456789ABCDEF".utf8)
}
