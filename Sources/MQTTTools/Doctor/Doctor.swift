package import MQTTClient
import MQTTTransport
import NIOCore
import NIOPosix

/// Tries a broker stage by stage, from its name to a message that comes back, and says of the first stage that fails what is
/// wrong and what to do.
package struct Doctor: Sendable {
    package typealias Finding = DoctorReport.Finding

    package let endpoint: Endpoint
    package var configuration: ClientConfiguration
    /// Where the message of the last stage goes; nil = a topic that nobody else uses.
    package var topic: Topic?
    /// For each stage.
    package let timeout: Duration
    /// A certificate that ends within so many days is warned about.
    package static let expiryWarningDays = 30

    let loop: any EventLoop = MultiThreadedEventLoopGroup.singleton.next()

    package init(_ endpoint: Endpoint, _ configuration: ClientConfiguration, timeout: Duration = .seconds(5)) {
        self.endpoint = endpoint
        self.timeout = timeout
        self.configuration = configuration
        self.configuration.connectTimeout = timeout
    }

    package func run() async -> DoctorReport {
        var report = DoctorReport(target: "\(endpoint)")
        if endpoint.socketPath == nil, endpoint.proxy == nil {
            guard add(await lookUp(), to: &report), add(await openSocket(), to: &report) else { return report }
        }
        if endpoint.tls != nil { guard add(await greet(), to: &report) else { return report } }
        if endpoint.isWebSocket { guard add(await openWebSocket(), to: &report) else { return report } }
        await converse(&report)
        return report
    }

    /// Whether to go on.
    func add(_ finding: Finding, to report: inout DoctorReport) -> Bool {
        report.findings.append(finding)
        return finding.outcome != .failed
    }

    // MARK: Stages of the network

    private func lookUp() async -> Finding {
        let host = endpoint.address ?? endpoint.host
        if (try? SocketAddress(ipAddress: host, port: 0)) != nil {
            return Finding(stage: .lookup, outcome: .ok, summary: "\(host) is an address, nothing to look up")
        }
        let begin = ContinuousClock.now
        do {
            let addresses = try await Resolution.addresses(of: host)
            return Finding(
                stage: .lookup, outcome: .ok, summary: "\(host) is \(addresses.joined(separator: ", "))",
                milliseconds: begin.milliseconds)
        } catch {
            return Finding(
                stage: .lookup, outcome: .failed, summary: "the name \(host) is not known: \(error)",
                remedy: "is it spelled right? Does `getent hosts \(host)` know it? A VPN or /etc/hosts may be missing.")
        }
    }

    /// The bare port, with nothing on top of it.
    private func openSocket() async -> Finding {
        var bare = Endpoint.tcp(endpoint.host, port: endpoint.port)
        if let address = endpoint.address { bare = bare.resolving(to: address) }
        let begin = ContinuousClock.now
        do {
            let channel = try await Connector.connect(to: bare, on: loop, timeout: timeout) {
                $0.eventLoop.makeSucceededVoidFuture()
            }
            let milliseconds = begin.milliseconds
            let remote = channel.remoteAddress?.ipAddress ?? endpoint.host
            try? await channel.close()
            return Finding(
                stage: .socket, outcome: .ok, summary: "port \(endpoint.port) of \(remote) is open",
                milliseconds: milliseconds)
        } catch {
            return Finding(stage: .socket, outcome: .failed, summary: error.reason, remedy: error.remedy)
        }
    }

    private func openWebSocket() async -> Finding {
        let begin = ContinuousClock.now
        do {
            let channel = try await Connector.connect(to: endpoint, on: loop, timeout: timeout) {
                $0.eventLoop.makeSucceededVoidFuture()
            }
            let milliseconds = begin.milliseconds
            try? await channel.close()
            return Finding(
                stage: .webSocket, outcome: .ok, summary: "the server speaks mqtt on it", milliseconds: milliseconds)
        } catch {
            return Finding(stage: .webSocket, outcome: .failed, summary: error.reason, remedy: error.remedy)
        }
    }
}

extension ContinuousClock.Instant {
    /// From then to now.
    var milliseconds: Double { (ContinuousClock.now - self).inMilliseconds }
}

extension Duration {
    var inMilliseconds: Double {
        Double(components.seconds) * 1_000 + Double(components.attoseconds) / 1_000_000_000_000_000
    }
}

extension Endpoint {
    /// MQTT is wrapped in WebSocket.
    var isWebSocket: Bool { webSocket != nil }
}
