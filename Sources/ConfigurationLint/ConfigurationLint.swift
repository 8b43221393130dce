package import BrokerConfiguration

/// What an operator should be told about a configuration that can be used: risks and contradictions that no single line shows.
///
/// Each rule is a function from the report to findings. Those here need nothing but the configuration; `+certificates` and
/// `+acl` read the files it names.
package enum ConfigurationLint {
    /// All findings, listener by listener, then those about the whole broker. None where the report has errors. Without
    /// `surroundings` nothing but the configuration is looked at.
    package static func findings(
        _ report: ConfigurationReport, surroundings: ConfigurationSurroundings? = nil
    ) -> [Finding] {
        guard let configuration = report.configuration else { return [] }
        var findings: [Finding] = []
        for (listener, place) in zip(configuration.listeners, report.listenerPlaces) {
            findings += admission(listener, place)
            findings += encryption(listener, place)
            if let surroundings { findings += certificates(listener, place, surroundings) }
        }
        if let surroundings { findings += accessFiles(configuration, surroundings) }
        let whole = ConfigurationReport.Place(file: report.listenerPlaces.first?.file ?? "", line: nil)
        return findings + queues(configuration, report, whole)
    }

    // MARK: Who may come in

    private static func admission(_ listener: ListenerConfiguration, _ place: ConfigurationReport.Place) -> [Finding] {
        var findings: [Finding] = []
        let security = listener.security
        let needsCertificate = listener.tls?.requiresCertificate == true
        let isNamedByProof = listener.certificateIdentity != .none
        if security.allowsAnonymous, !listener.isLocal, !needsCertificate, !listener.proxyRequiresCertificate,
            !isNamedByProof
        {
            findings.append(
                Finding(
                    .anonymousOnNetwork, .warning, place,
                    "\(listener.place) lets anybody on the network in without a user name; write 'allow_anonymous false' and a "
                        + "'password_file', or bind it to 127.0.0.1"))
        }
        if listener.admission.hasPrefix("nobody"), !isNamedByProof {
            findings.append(
                Finding(
                    .nobodyAdmitted, .warning, place,
                    "\(listener.place) lets nobody in; add a 'password_file', certificates, or 'allow_anonymous true'"))
        }
        if isNamedByProof, listener.tls?.certificateFile != nil, !needsCertificate {
            findings.append(
                Finding(
                    .certificateOptional, .warning, place,
                    "\(listener.place) takes user names from certificates and asks no client for one, so that none comes in by "
                        + "its certificate; write 'require_certificate true'"))
        }
        let isKnown = security.passwordFile != nil || isNamedByProof
        if isKnown, security.aclFile == nil, security.dynamicSecurity == nil {
            findings.append(
                Finding(
                    .everythingAllowed, .note, place,
                    "\(listener.place) knows its clients and allows each of them everything; an 'acl_file' says who may do what"
                ))
        }
        return findings
    }

    // MARK: What can be overheard

    private static func encryption(_ listener: ListenerConfiguration, _ place: ConfigurationReport.Place) -> [Finding] {
        var findings: [Finding] = []
        let asksPasswords = listener.security.passwordFile != nil || listener.security.dynamicSecurity != nil
        let isBehindTLSProxy = listener.proxyRequiresTLS
        if asksPasswords, listener.tls == nil, !listener.isLocal, !isBehindTLSProxy {
            findings.append(
                Finding(
                    .passwordsInClear, .warning, place,
                    "\(listener.place) takes passwords in clear, for everybody on the way to read; add 'certfile' and 'keyfile'"
                ))
        }
        if listener.applicationProtocol == .websockets, listener.websocketsOrigins.isEmpty, !listener.isLocal {
            findings.append(
                Finding(
                    .anyOrigin, .note, place,
                    "\(listener.place) admits scripts of every web page; 'websockets_origin' names those that may"))
        }
        if listener.tls?.checksClientDates == false {
            findings.append(
                Finding(
                    .datesUnchecked, .warning, place,
                    "\(listener.place) admits client certificates that have expired; a stolen one then works for ever"))
        }
        return findings
    }

    // MARK: What can grow

    private static func queues(
        _ configuration: BrokerConfiguration, _ report: ConfigurationReport, _ whole: ConfigurationReport.Place
    ) -> [Finding] {
        var findings: [Finding] = []
        if configuration.queuedMessagesMax == nil, configuration.queuedBytesMax == nil {
            findings.append(
                Finding(
                    .unlimitedQueue, .warning, report.place(of: "max_queued_messages") ?? whole,
                    "nothing bounds what waits for one client; one that never comes back fills the memory: set "
                        + "'max_queued_messages' or 'max_queued_bytes'"))
        }
        if configuration.inflightMessagesMax == nil, configuration.inflightBytesMax == nil {
            findings.append(
                Finding(
                    .unlimitedQueue, .note, report.place(of: "max_inflight_messages") ?? whole,
                    "nothing but the client's Receive Maximum bounds what is on its way to it: set 'max_inflight_messages' or "
                        + "'max_inflight_bytes'"))
        }
        if configuration.persistence.isOn, configuration.sessionExpirySecondsMax == nil,
            configuration.queueSecondsMax == nil
        {
            findings.append(
                Finding(
                    .endlessSessions, .note, report.place(of: "persistence") ?? whole,
                    "sessions of clients that never come back are kept on disk for ever; "
                        + "'persistent_client_expiration 30d' would let them go"))
        }
        return findings
    }
}

extension ConfigurationReport {
    /// Where a key was set last.
    func place(of key: String) -> Place? {
        settings.last { $0.key == key }.map { Place(file: $0.file, line: $0.line) }
    }
}
