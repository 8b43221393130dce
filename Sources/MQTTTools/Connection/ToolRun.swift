import MQTTClient
import MQTTTransport
import NIOCore
import NIOPosix

#if canImport(Darwin)
import Darwin
#elseif canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// One run of a tool: connects, lets the conversation have its way, connects again where that is wanted, and ends the process. It
/// has the calling thread for its loop and starts no other: half of what a tool does is to start. Before: `CommandLineReader`.
final class ToolRun {
    /// Between two attempts to connect again, as mosquitto has it.
    private static var reconnectDelay: TimeAmount { .seconds(1) }
    /// How long one address may take to answer.
    private static var connectTimeout: Duration { .seconds(30) }

    private let arguments: ToolArguments
    private let endpoint: Endpoint
    private let loop: any EventLoop
    private let conversation: any EndingConversation
    private let connection: ToolConnection
    private var isFirst = true

    /// Runs until the process ends.
    /// - Parameter make: what the tool does, made on its loop.
    static func run(
        _ arguments: ToolArguments, to endpoint: Endpoint, _ make: @escaping (any EventLoop) -> any EndingConversation
    ) -> Never {
        signal(SIGPIPE, SIG_IGN)
        MultiThreadedEventLoopGroup.withCurrentThreadAsEventLoop { loop in
            do throws(ClientError) {
                let conversation = make(loop)
                let connection = ToolConnection(
                    loop: loop, arguments: arguments, session: try ClientSession(arguments.configuration()),
                    conversation: conversation, standardOutput: StandardOutput())
                ToolRun(arguments, endpoint, loop, conversation, connection).attempt()
            } catch {
                if !arguments.isQuiet { StandardError.say("Error: \(error)") }
                ToolProgram.exitNow(ExitStatus.failure.rawValue)
            }
        }
        preconditionFailure("the loop ends with the process only")
    }

    private init(
        _ arguments: ToolArguments, _ endpoint: Endpoint, _ loop: any EventLoop, _ conversation: any EndingConversation,
        _ connection: ToolConnection
    ) {
        (self.arguments, self.endpoint, self.loop) = (arguments, endpoint, loop)
        (self.conversation, self.connection) = (conversation, connection)
    }

    // MARK: Connecting

    private func attempt() {
        do throws(ConnectFailure) {
            open(try ways()[...])
        } catch {
            failed(error)
        }
    }

    /// One for each address of the name, in the resolver's order. The files of TLS are read, and the resolver is asked, here and
    /// now: nobody else is on this loop.
    private func ways() throws(ConnectFailure) -> [PreparedEndpoint] {
        let prepared = try PreparedEndpoint(endpoint)
        guard endpoint.socketPath == nil, endpoint.proxy == nil, endpoint.address == nil else { return [prepared] }
        do throws(Resolution.Unknown) {
            return try Resolution.find(endpoint.host).map { prepared.resolving(to: $0) }
        } catch {
            throw ConnectFailure(.lookup, "\(endpoint)", "the name \(endpoint.host) is not known (\(error))")
        }
    }

    private func open(_ ways: ArraySlice<PreparedEndpoint>) {
        var rest = ways
        guard let way = rest.popFirst() else { preconditionFailure("a name that is known has an address") }
        let opened = Connector.open(
            way, on: loop, timeout: Self.connectTimeout, initialize: { $0.eventLoop.makeSucceededVoidFuture() })
        opened.assumeIsolated().whenComplete { result in
            switch result {
            case .success(let opened): self.opened(opened)
            case .failure(let failure as ConnectFailure) where failure.stage == .socket && !rest.isEmpty:
                self.open(rest)
            case .failure(let failure as ConnectFailure): self.failed(failure)
            case .failure(let error):
                self.say("Error: \(error)")
                self.end(ExitStatus.failure.rawValue)
            }
        }
    }

    private func opened(_ opened: OpenedChannel) {
        let ended = connection.adopt(opened)
        if isFirst { conversation.connected(connection) }
        isFirst = false
        ended.assumeIsolated().whenSuccess { error in
            if let status = self.verdict(error) { self.end(status) } else { self.attemptLater() }
        }
    }

    private func failed(_ failure: ConnectFailure) {
        if isFirst { end(complain(failure)) } else { attemptLater() }
    }

    private func attemptLater() {
        loop.assumeIsolated().scheduleTask(in: Self.reconnectDelay) { self.attempt() }
    }

    private func end(_ status: Int32) -> Never {
        connection.standardOutput.flush()
        ToolProgram.exitNow(status)
    }

    // MARK: How it ended

    /// Nil = connect again.
    private func verdict(_ error: ClientError?) -> Int32? {
        let reconnects = conversation.reconnects
        switch error {
        case nil: return conversation.status
        case .connectionRefused(let code, _, _): return complain(refusal: code)
        case .disconnectedByServer:
            guard arguments.tool != .sub else { return ExitStatus.success.rawValue }
            return complain(.notConnected)
        case .connectFailed(let failure):
            // What the server told us of a certificate, it will tell again. mosquitto has one sentence for it.
            if failure.details.isEmpty, reconnects { return nil }
            say(failure.description)
            return complain(.connectionLost)
        case .connectionLost, .keepAliveTimedOut, .connectTimedOut:
            return reconnects ? nil : complain(.connectionLost)
        default:
            if reconnects { return nil }
            return complain(.protocolError)
        }
    }

    private func complain(_ status: ExitStatus) -> Int32 {
        say("Error: \(status.text)")
        return status.rawValue
    }

    private func complain(refusal code: ReasonCode) -> Int32 {
        let version = arguments.protocolVersion
        var text = "Connection error: \(ExitStatus.connackText(code, version: version))"
        if version == .v5, code == .unsupportedProtocolVersion {
            text +=
                arguments.tool == .rr
                ? ". mosquitto_rr only supports connecting to an MQTT v5 broker"
                : ". Try connecting to an MQTT v5 broker, or use MQTT v3.x mode."
        }
        say(text)
        if arguments.tool == .pub {
            say("Error: \((version == .v5 ? ExitStatus.protocolError : .refused).text)")
        }
        return version == .v5 ? Int32(code.rawValue) : ExitStatus.returnCode(code)
    }

    private func complain(_ failure: ConnectFailure) -> Int32 {
        switch failure.stage {
        case .socket:
            guard let number = failure.errorNumber else { break }
            // A broker without TLS hangs up on the first bytes of it.
            if arguments.wantsTLS, number == ECONNRESET || number == EPIPE { return complain(tls: failure) }
            say("Error: \(String(cString: strerror(number)))")
            return ExitStatus.failure.rawValue
        case .lookup: say("Unable to connect (Lookup error.).")
        case .tls: return complain(tls: failure)
        case .proxy:
            say(failure.description)
            say("Error: \(ExitStatus.proxy.text)")
            return ExitStatus.proxy.rawValue
        case .settings where arguments.wantsTLS:
            say("Error: Problem setting TLS options: \(failure.reason).")
            return ExitStatus.failure.rawValue
        case .settings, .webSocket: break
        }
        if failure.stage == .lookup { return ExitStatus.failure.rawValue }
        say("Error: \(failure)")
        return ExitStatus.failure.rawValue
    }

    /// What went wrong and what helps, then mosquitto's words for all of it.
    private func complain(tls failure: ConnectFailure) -> Int32 {
        if failure.certificateProblem == .wrongName { say("Error: host name verification failed.") }
        say(failure.description)
        return complain(.tls)
    }

    private func say(_ text: String) {
        if !arguments.isQuiet { StandardError.say(text) }
    }
}

/// A conversation that ends with a status.
protocol EndingConversation: Conversation {
    var status: Int32 { get }
    /// The transport is open for the first time.
    func connected(_ connection: ToolConnection)
}

extension EndingConversation {
    func connected(_ connection: ToolConnection) {}
}

/// Standard error, line by line.
enum StandardError {
    static func say(_ text: String) { write(text + "\n") }

    static func write(_ text: String) {
        var text = text
        text.withUTF8 { _ = systemWrite(STDERR_FILENO, $0.baseAddress, $0.count) }
    }
}

extension ExitStatus {
    /// The return code of 3.x that a reason code was read from.
    static func returnCode(_ code: ReasonCode) -> Int32 {
        switch code {
        case .unsupportedProtocolVersion: 1
        case .clientIdentifierNotValid: 2
        case .serverUnavailable: 3
        case .badUserNameOrPassword: 4
        case .notAuthorized: 5
        default: Int32(code.rawValue)
        }
    }
}
