extension ConfigurationReader {
    /// Decides what the files left open, and hands over the result.
    consuming func finish() throws(ConfigurationError) -> (configuration: BrokerConfiguration, warnings: [Diagnostic]) {
        refuseSameSocketTwice()
        guard problems.isEmpty else { throw ConfigurationError(problems) }
        if configuration.isLocalOnly {
            // Options without a listener hold for the two of loopback.
            let template = resolved(listeners.first ?? ListenerDraft())
            configuration.listeners = ListenerConfiguration.loopback(
                port: ListenerConfiguration.defaultPort, like: template)
        } else {
            tellOfImpliedListener()
            configuration.listeners = listeners.map { resolved($0) }
        }
        return (configuration, remarks)
    }

    private func resolved(_ draft: ListenerDraft) -> ListenerConfiguration {
        var listener = draft.values
        // Under `per_listener_settings` the broker's own values were never set, so they cannot leak into a listener.
        listener.allowsAnonymous =
            draft.security.allowsAnonymous ?? security.allowsAnonymous ?? configuration.isLocalOnly
        listener.allowsEmptyClientID = draft.security.allowsEmptyClientID ?? security.allowsEmptyClientID ?? true
        listener.autoIDPrefix = draft.security.autoIDPrefix ?? security.autoIDPrefix ?? "auto-"
        return listener
    }

    /// Opening the second would fail anyway, but without telling the line.
    private mutating func refuseSameSocketTwice() {
        guard problems.isEmpty, !configuration.isLocalOnly else { return }
        var seen: Set<String> = []
        for draft in listeners {
            let socket = "port \(draft.values.port) on \(draft.values.host ?? "every interface")"
            if !seen.insert(socket).inserted {
                report(
                    .error, "two listeners want \(socket); give one of them another port or address", file: file,
                    line: nil)
            }
        }
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
