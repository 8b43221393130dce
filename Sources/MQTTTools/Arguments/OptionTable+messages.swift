import MQTTProtocol

/// What is sent, and what is shown of what comes.
extension OptionTable {
    static let sending: [ToolOption] = [
        ToolOption("-f", "--file", tools: [.pub, .rr], wants: "file") { arguments, given throws(ArgumentFault) in
            try arguments.setPayload(.file(given.text))
        },
        ToolOption("-l", "--stdin-line", tools: .pub) { arguments, _ throws(ArgumentFault) in
            try arguments.setPayload(.lines)
        },
        ToolOption("-m", "--message", tools: [.pub, .rr], wants: "message") { arguments, given throws(ArgumentFault) in
            try arguments.setPayload(.text(given.word.bytes))
        },
        ToolOption("-M", wants: "max_inflight", complaint: "-M argument given but max_inflight not specified") {
            arguments, given throws(ArgumentFault) in
            guard given.integer > 0 else {
                throw ArgumentFault("Error: Maximum inflight messages must be greater than 0.")
            }
            arguments.inflightMax = UInt16(clamping: given.integer)
        },
        ToolOption("-n", "--null-message", tools: [.pub, .rr]) { arguments, _ throws(ArgumentFault) in
            try arguments.setPayload(.empty)
        },
        ToolOption("-q", "--qos", wants: "QoS") { arguments, given throws(ArgumentFault) in
            guard let qos = UInt8(exactly: given.integer).flatMap(QoS.init(rawValue:)) else {
                throw ArgumentFault("Error: Invalid QoS given: \(given.integer)", emptyLine: false)
            }
            arguments.qos = qos
        },
        ToolOption("-r", "--retain", tools: .pub) { arguments, _ in arguments.retain = true },
        ToolOption("--rate", tools: .pub, wants: "messages a second", ours: "send at most so many messages a second") {
            arguments, given throws(ArgumentFault) in
            let rate = CNumber.decimal(given.word)
            guard rate > 0, rate.isFinite else { throw ArgumentFault("Error: --rate argument must be >0.") }
            arguments.rate = rate
        },
        ToolOption("--repeat", tools: .pub, wants: "count") { arguments, given throws(ArgumentFault) in
            guard given.integer > 0 else { throw ArgumentFault("Error: --repeat argument must be >0.") }
            arguments.repeatCount = given.integer
        },
        ToolOption("--repeat-delay", tools: .pub, wants: "time") { arguments, given throws(ArgumentFault) in
            let seconds = CNumber.decimal(given.word)
            guard seconds >= 0, seconds < 1e9 else {
                throw ArgumentFault("Error: --repeat-delay argument must be >=0.0.")
            }
            arguments.repeatDelay = .seconds(seconds)
        },
        ToolOption("-s", "--stdin-file", tools: [.pub, .rr]) { arguments, _ throws(ArgumentFault) in
            try arguments.setPayload(.standardInput)
        },
        ToolOption("-t", "--topic", wants: "topic") { arguments, given throws(ArgumentFault) in
            try arguments.addTopic(given.word, "-t")
        },
    ]

    static let receiving: [ToolOption] = [
        ToolOption("-C", tools: .sub, wants: "count") { arguments, given throws(ArgumentFault) in
            guard given.integer > 0 else { throw ArgumentFault("Error: Invalid message count \"\(given.integer)\".") }
            arguments.messageCount = given.integer
        },
        ToolOption("-e", tools: .rr, wants: "response topic") { arguments, given throws(ArgumentFault) in
            let topic = try given.utf8("-e", emptyLine: true)
            guard TopicArgument.isName(topic) else {
                throw ArgumentFault(
                    "Error: Invalid response topic '\(topic)', does it contain '+' or '#'?", emptyLine: false)
            }
            arguments.responseTopic = topic
        },
        ToolOption("-E", tools: .sub) { arguments, _ in arguments.exitsWhenSubscribed = true },
        ToolOption("-F", tools: [.sub, .rr], wants: "format") { arguments, given throws(ArgumentFault) in
            arguments.format = try OutputFormat(given.word.bytes)
        },
        ToolOption("--json", ours: "one JSON object a message, for other programs to read") { arguments, _ in
            arguments.isJSON = true
        },
        ToolOption("--latency", tools: .rr, ours: "print how long the answer took") { arguments, _ in
            arguments.showsLatency = true
        },
        ToolOption("--message-rate", tools: .sub, ours: "print how many messages come a second instead of them") {
            arguments, _ in
            arguments.showsRate = true
        },
        ToolOption("-N", tools: [.sub, .rr]) { arguments, _ in arguments.endsLines = false },
        ToolOption("--pretty", tools: [.sub, .rr]) { arguments, _ in arguments.isPretty = true },
        ToolOption("-R", tools: [.sub, .rr]) { arguments, _ in arguments.ignoresRetained = true },
        ToolOption("--random-filter", tools: .sub, wants: "chance") { arguments, given throws(ArgumentFault) in
            let percent = CNumber.decimal(given.word)
            guard 0.1...100 ~= percent else {
                throw ArgumentFault("Error: --random-filter chance must be between 0.1-100.0")
            }
            arguments.shownShare = percent / 100
        },
        ToolOption("--remove-retained", tools: .sub) { arguments, _ in arguments.removesRetained = true },
        ToolOption("--retain-as-published", tools: .sub) { arguments, _ in arguments.retainAsPublished = true },
        ToolOption(
            "--retain-handling", tools: [.sub, .rr], wants: "always, new or never",
            ours: "5.0: whether retained messages come at once: always, new or never"
        ) { arguments, given throws(ArgumentFault) in
            arguments.retainHandling =
                switch given.text {
                case "always": .sendAlways
                case "new": .sendIfNew
                case "never": .doNotSend
                default: throw ArgumentFault("Error: --retain-handling is always, new or never.")
                }
        },
        ToolOption("--retained-only", tools: .sub) { arguments, _ in arguments.onlyRetained = true },
        ToolOption("-T", "--filter-out", tools: .sub, wants: "topic filter") { arguments, given throws(ArgumentFault) in
            let filter = try given.utf8("-T")
            guard TopicArgument.isFilter(filter) else {
                throw ArgumentFault(
                    "Error: Invalid filter topic '\(filter)', are all '+' and '#' wildcards correct?", emptyLine: false)
            }
            arguments.filtersOut.append(filter)
        },
        ToolOption("-U", "--unsubscribe", tools: .sub, wants: "unsubscribe topic") {
            arguments, given throws(ArgumentFault) in
            let filter = try given.utf8("-U")
            guard TopicArgument.isFilter(filter) else {
                throw ArgumentFault(
                    "Error: Invalid unsubscribe topic '\(filter)', are all '+' and '#' wildcards correct?",
                    emptyLine: false)
            }
            arguments.unsubscribes.append(filter)
        },
        ToolOption("-v", "--verbose", tools: [.sub, .rr]) { arguments, _ in arguments.isVerbose = true },
        ToolOption("-w", "--watch", tools: .sub, ours: "a table on the terminal: the latest message of each topic") {
            arguments, _ in
            arguments.showsTable = true
        },
        ToolOption("-W", tools: [.sub, .rr], wants: "timeout") { arguments, given throws(ArgumentFault) in
            guard given.integer > 0 else { throw ArgumentFault("Error: Invalid timeout \"\(given.integer)\".") }
            arguments.timeoutSeconds = given.integer
        },
    ]
}

extension ToolArguments {
    fileprivate mutating func setPayload(_ source: PayloadSource) throws(ArgumentFault) {
        guard payload == nil else { throw ArgumentFault("Error: Only one type of message can be sent at once.") }
        payload = source
    }

    /// A topic to publish to, or one more filter to subscribe to.
    mutating func addTopic(_ word: Word, _ argument: String) throws(ArgumentFault) {
        guard let topic = word.validText else { throw ArgumentFault("Error: Malformed UTF-8 in \(argument) argument.") }
        switch tool {
        case .pub, .rr:
            guard TopicArgument.isName(topic) else {
                throw ArgumentFault(
                    "Error: Invalid publish topic '\(topic)', does it contain '+' or '#'?", emptyLine: false)
            }
            topics = [topic]
        case .sub:
            guard TopicArgument.isFilter(topic) else {
                throw ArgumentFault(
                    "Error: Invalid subscription topic '\(topic)', are all '+' and '#' wildcards correct?",
                    emptyLine: false)
            }
            topics.append(topic)
        }
    }
}
