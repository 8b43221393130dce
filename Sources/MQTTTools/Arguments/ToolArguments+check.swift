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
        try checkToken()
        if (tls.certificateFile == nil) != (tls.keyFile == nil), !token.isAsked {
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

    private func checkToken() throws(ArgumentFault) {
        guard token.isAsked else {
            guard token.isDescribed else { return }
            throw refusal(
                "Error: --token, --pin-file, --pin-env, --key-label and --cert-label need --pkcs11-module or --pkcs11-uri."
            )
        }
        if tls.keyFile != nil || tls.pkcs12File != nil || tls.psk != nil {
            throw refusal("Error: Only one of --pkcs11-module/--pkcs11-uri, --key, --p12 or --psk may be used at once.")
        }
        if token.uri != nil, token.token != nil {
            throw refusal("Error: --pkcs11-uri names the token already; leave --token out.")
        }
        if token.pinFile != nil, token.pinVariable != nil {
            throw refusal("Error: Only one of --pin-file or --pin-env may be used at once.")
        }
        if tls.certificateFile != nil, token.certificateLabel != nil {
            throw refusal("Error: Only one of --cert or --cert-label may be used at once.")
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
