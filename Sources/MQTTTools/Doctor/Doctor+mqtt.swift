import MQTTClient
import MQTTTransport

/// The stages that speak MQTT, over one connection.
extension Doctor {
    func converse(_ report: inout DoctorReport) async {
        let client: MQTTClient
        do throws(ClientError) {
            client = try MQTTClient(endpoint, configuration, reconnect: .never)
        } catch {
            report.findings.append(Finding(stage: .mqtt, outcome: .failed, summary: "\(error)"))
            return
        }
        async let life: Void = client.run()
        let begin = ContinuousClock.now
        var failure: ClientError?
        do throws(ClientError) { try await client.connected() } catch { failure = error }
        if let failure {
            for finding in refusal(failure) { report.findings.append(finding) }
        } else if case .connected(let server) = client.state {
            report.findings.append(
                Finding(
                    stage: .mqtt, outcome: .ok, summary: "CONNACK: accepted", milliseconds: begin.milliseconds,
                    facts: facts(of: server)))
            report.findings.append(accepted)
            await exchange(client, &report)
        } else {
            report.findings.append(
                Finding(stage: .mqtt, outcome: .failed, summary: "accepted, and closed again at once"))
        }
        client.close()
        try? await life
    }

    private var accepted: Finding {
        let who = configuration.userName.map { "user '\($0)' came in" }
        let certificate = endpoint.tls?.identity == nil ? nil : "with a certificate of ours"
        return Finding(
            stage: .credentials, outcome: .ok,
            summary: [who ?? "came in without a user name", certificate].compactMap(\.self).joined(separator: ", "))
    }

    private func facts(of server: ServerInformation) -> [String] {
        var facts: [String] = []
        if let identifier = server.assignedClientIdentifier {
            facts.append("client identifier assigned: \(identifier)")
        }
        if server.keepAliveSeconds != configuration.keepAliveSeconds {
            facts.append("the server wants a keep-alive of \(server.keepAliveSeconds) s")
        }
        if configuration.version == .v5 {
            facts.append(
                "takes QoS \(server.maximumQoS.rawValue) at most, \(server.receiveMaximum) unacknowledged messages"
                    + (server.maximumPacketSize.map { ", packets of \($0) bytes" } ?? ""))
        }
        return facts
    }

    // MARK: Refused

    private func refusal(_ error: ClientError) -> [Finding] {
        switch error {
        case .connectionRefused(let code, let reason, let reference):
            let words = "\(code)" + (reason.map { " (\($0))" } ?? "")
            if code == .badUserNameOrPassword || code == .notAuthorized {
                return [
                    Finding(stage: .mqtt, outcome: .ok, summary: "the server speaks MQTT"),
                    Finding(
                        stage: .credentials, outcome: .failed, summary: "refused: \(words)",
                        remedy: credentialsRemedy(code)),
                ]
            }
            return [
                Finding(
                    stage: .mqtt, outcome: .failed, summary: "refused: \(words)",
                    remedy: reference.map { "the server says: try \($0)" } ?? Self.remedy(code))
            ]
        case .connectTimedOut:
            return [
                Finding(
                    stage: .mqtt, outcome: .failed, summary: "no answer to CONNECT within \(timeout)",
                    remedy:
                        "does something else listen there? With TLS it would be mqtts://, behind a web server ws://.")
            ]
        case .connectionLost:
            return [
                Finding(
                    stage: .mqtt, outcome: .failed, summary: "\(error)",
                    remedy: endpoint.tls == nil
                        ? "a port for TLS hangs up on plain text: try mqtts://. Otherwise the broker's log says why."
                        : "does the broker want a certificate of ours (--cert, --key)? Its log says why it hung up.")
            ]
        case .connectFailed(let failure):
            return [
                Finding(
                    stage: .mqtt, outcome: .failed, summary: failure.reason, remedy: failure.remedy ?? Self.noBroker)
            ]
        case .malformedPacket, .firstPacketNotConnack:
            return [
                Finding(
                    stage: .mqtt, outcome: .failed, summary: "\(error)",
                    remedy: Self.noBroker)
            ]
        default: return [Finding(stage: .mqtt, outcome: .failed, summary: "\(error)", remedy: Self.noBroker)]
        }
    }

    private static let noBroker = "this does not look like an MQTT broker: is the port right?"

    private func credentialsRemedy(_ code: ReasonCode) -> String {
        guard configuration.userName != nil else {
            return "the broker admits nobody without a name: give -u and -P"
                + (endpoint.tls != nil && endpoint.tls?.identity == nil
                    ? ", or a certificate with --cert and --key." : ".")
        }
        return code == .badUserNameOrPassword
            ? "is the password right? On the broker: `martlet passwd FILE \(configuration.userName ?? "")` sets it anew."
            : "name or password is wrong, or this user may not come in here; the broker's log says which."
    }

    private static func remedy(_ code: ReasonCode) -> String? {
        switch code {
        case .unsupportedProtocolVersion: "the broker does not speak this version: try -V mqttv311."
        case .clientIdentifierNotValid:
            "the broker wants another client identifier: give -i, perhaps with a prefix it demands."
        case .serverUnavailable, .serverBusy, .connectionRateExceeded:
            "the broker is overloaded or starting: try again later."
        case .banned: "the broker has banned this client."
        default: nil
        }
    }

    // MARK: A message there and back

    private func exchange(_ client: MQTTClient, _ report: inout DoctorReport) async {
        var generator = SystemRandomNumberGenerator()
        let unique = String(generator.next() as UInt64, radix: 36)
        let topic = topic ?? Topic(stringLiteral: "martlet-doctor/\(unique)")
        let subscription: Subscription
        let begin = ContinuousClock.now
        do {
            subscription = try await within(timeout) { () throws(ClientError) in
                try await client.subscribe(to: TopicFilter(topic), qos: .atLeastOnce)
            }
        } catch {
            report.findings.append(
                Finding(
                    stage: .subscribe, outcome: .failed, summary: "'\(topic)': \(error)",
                    remedy:
                        "may this user read that topic? Name one it may use with --topic. `martlet explain` says which rule denies it."
                ))
            return
        }
        report.findings.append(
            Finding(
                stage: .subscribe, outcome: .ok,
                summary: "'\(topic)': \(subscription.result.reasonCodes.map(\.description).joined(separator: ", "))",
                milliseconds: begin.milliseconds))
        let sent = ContinuousClock.now
        do {
            let result = try await within(timeout) { () throws(ClientError) in
                try await client.publish(Message(topic, unique, qos: .atLeastOnce))
            }
            _ = result
            try await within(timeout) { () throws(ClientError) in
                for try await message in subscription where message.text == unique { return }
                throw .closed
            }
        } catch {
            report.findings.append(
                Finding(
                    stage: .roundTrip, outcome: .failed,
                    summary: error == .timedOut ? "the message did not come back within \(timeout)" : "\(error)",
                    remedy:
                        "may this user write to '\(topic)', and read it? A broker may take a message and give it to nobody."
                ))
            return
        }
        report.findings.append(
            Finding(
                stage: .roundTrip, outcome: .ok, summary: "a message at QoS 1 came back",
                milliseconds: sent.milliseconds))
    }

    private func within<Value: Sendable>(
        _ timeout: Duration, _ body: @escaping @Sendable () async throws(ClientError) -> Value
    ) async throws(ClientError) -> Value {
        let first = await withTaskGroup(of: Result<Value, ClientError>.self) { group in
            group.addTask {
                do throws(ClientError) { return .success(try await body()) } catch { return .failure(error) }
            }
            group.addTask {
                try? await Task.sleep(for: timeout)
                return .failure(.timedOut)
            }
            defer { group.cancelAll() }
            return await group.next() ?? .failure(.timedOut)
        }
        return try first.get()
    }
}
