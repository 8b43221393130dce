extension ConfigurationReader {
    /// Decides what the files left open, and hands over the result.
    consuming func finish() throws(ConfigurationError) -> (configuration: BrokerConfiguration, warnings: [Diagnostic]) {
        if problems.isEmpty {
            // A line that could not be read would be followed by mistakes that are none.
            settleListeners()
            settlePlugins()
            settleBridges()
        }
        refuseSameSocketTwice()
        guard problems.isEmpty else { throw ConfigurationError(problems, remarks: remarks) }
        if configuration.isLocalOnly {
            // Options without a listener hold for the two of loopback.
            let template = resolved(listeners.first ?? ListenerDraft())
            configuration.listeners = ListenerConfiguration.loopback(
                port: ListenerConfiguration.defaultPort, like: template)
        } else {
            tellOfImpliedListener()
            configuration.listeners = listeners.map { resolved($0) }
        }
        for index in listeners.indices where !configuration.isLocalOnly { tellOfMissingKeys(index) }
        return (configuration, remarks)
    }

    /// A listener whose settings are all decided. Under `per_listener_settings` the broker's own were never set, so they cannot
    /// leak into a listener; a `global_plugin` is meant for every one.
    private func resolved(_ draft: ListenerDraft) -> ListenerConfiguration {
        var listener = draft.values
        let own = draft.security
        listener.security.allowsAnonymous = own.allowsAnonymous ?? security.allowsAnonymous ?? configuration.isLocalOnly
        listener.security.allowsEmptyClientID = own.allowsEmptyClientID ?? security.allowsEmptyClientID ?? true
        listener.security.autoIDPrefix = own.autoIDPrefix ?? security.autoIDPrefix ?? "auto-"
        listener.security.passwordFile = own.passwordFile ?? security.passwordFile
        listener.security.aclFile = own.aclFile ?? security.aclFile
        listener.security.pskFile = own.pskFile ?? security.pskFile
        listener.security.dynamicSecurity = own.dynamicSecurity ?? security.dynamicSecurity
        listener.places.inherit(securityPlaces)
        return listener
    }

    private mutating func tellOfMissingKeys(_ index: Int) {
        let listener = configuration.listeners[index]
        guard listener.tls?.pskHint != nil, listener.security.pskFile == nil else { return }
        let place = listeners[index].place
        report(
            .warning, "\(listener.place) has a 'psk_hint' and no 'psk_file': no pre-shared key is known",
            file: place?.file ?? file, line: place?.line)
    }

    private mutating func tellOfImpliedListener() {
        guard let defaultListener, let implied = listeners[defaultListener].impliedBy else { return }
        report(
            .warning,
            "'\(implied.option)' stands above every 'listener' line, so it opens a listener of its own on port "
                + "\(ListenerConfiguration.defaultPort), every interface, as in mosquitto; move it below "
                + "the listener it is meant for",
            file: implied.file, line: implied.line)
    }
}
