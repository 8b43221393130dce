import MQTTProtocol

/// What options demand of one another, in mosquitto's order and words. Before: `CommandLineReader`. After: a conversation.
extension ToolArguments {
    mutating func check() throws(ArgumentFault) {
        if will.topic == nil {
            if will.payload != nil { throw refusal("Error: Will payload given, but no will topic given.") }
            if will.retain { throw refusal("Error: Will retain given, but no will topic given.") }
        }
        try checkTLS()
        try checkSession()
        if tool == .sub, topics.isEmpty, unsubscribes.isEmpty {
            throw refusal("Error: You must specify a topic to subscribe to.")
        }
        try properties.check()
        if tool != .sub { try checkMessage() }
        if ignoresRetained, onlyRetained {
            throw ArgumentFault(
                "\nError: Combining '-R' and '--retained-only' makes no sense.", emptyLine: false, namesHelp: false)
        }
        if tool == .rr, properties.text(.publish, .responseTopic) != nil {
            throw ArgumentFault(
                "Error in PUBLISH properties: Duplicate response topic.", emptyLine: false, namesHelp: false)
        }
        if password != nil, userName == nil, protocolVersion != .v5 {
            throw refusal("Error: A password needs a username (-u) before MQTT v5.")
        }
    }

    private func checkTLS() throws(ArgumentFault) {
        if (tls.certificateFile == nil) != (tls.keyFile == nil) {
            throw refusal("Error: Both certfile and keyfile must be provided if one of them is set.")
        }
        if tls.keyForm != nil, tls.keyFile == nil {
            throw refusal("Error: If keyform is set, keyfile must be also specified.")
        }
        if tls.enginePassword != nil, tls.keyForm == nil || tls.engine == nil {
            throw refusal("Error: when using tls-engine-kpass-sha1, both tls-engine and keyform must also be provided.")
        }
        if tls.caFile != nil || tls.caPath != nil, tls.psk != nil {
            throw refusal("Error: Only one of --psk or --cafile/--capath may be used at once.")
        }
        if tls.psk != nil, tls.pskIdentity == nil {
            throw refusal("Error: --psk-identity required if --psk used.")
        }
        if tls.pkcs12File != nil, tls.certificateFile != nil {
            throw refusal("Error: Only one of --p12 or --cert/--key may be used at once.")
        }
    }

    private mutating func checkSession() throws(ArgumentFault) {
        guard protocolVersion == .v5 else {
            if !cleanSession, identifier == nil {
                throw refusal("Error: You must provide a client id if you are using the -c option.")
            }
            return
        }
        let expiry = sessionExpiry ?? (cleanSession ? 0 : .max)
        guard expiry > 0 else { return }
        if expiry == .max, identifier == nil {
            throw refusal(
                "Error: You must provide a client id if you are using an infinite session expiry interval.")
        }
        properties.addSessionExpiry(expiry)
    }

    /// What `pub` and `rr` cannot do without.
    private func checkMessage() throws(ArgumentFault) {
        if tool == .rr, topics.isEmpty || payload == nil || responseTopic == nil {
            throw refusal("Error: All of topic, message, and response topic must be supplied.")
        }
        if tool == .pub, topics.isEmpty || payload == nil { throw .nothingToPublish }
    }

    private func refusal(_ text: String) -> ArgumentFault { ArgumentFault(text, emptyLine: false) }
}

extension ArgumentFault {
    /// mosquitto_pub shows its whole help page after this one.
    static let nothingToPublish = ArgumentFault("Error: Both topic and message must be supplied.", emptyLine: false)
    package var showsHelp: Bool { self == .nothingToPublish }
}
