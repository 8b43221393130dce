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

/// One run of a tool: connects, lets the conversation have its way, connects again where that is wanted, and says with which
/// status to exit. Before: `CommandLineReader`. After: the process ends.
final class ToolRun {
    /// Between two attempts to connect again, as mosquitto has it.
    private static var reconnectDelay: TimeAmount { .seconds(1) }
    /// How long one address may take to answer.
    private static var connectTimeout: Duration { .seconds(30) }

    private let arguments: ToolArguments
    private let endpoint: Endpoint

    init(_ arguments: ToolArguments) throws(ArgumentFault) {
        self.arguments = arguments
        endpoint = try arguments.endpoint()
    }

    /// - Parameter make: what the tool does, made on its loop.
    func run(_ make: @escaping @Sendable (any EventLoop) -> sending any EndingConversation) async -> Int32 {
        signal(SIGPIPE, SIG_IGN)
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let loop = group.next()
        do {
            let bound = try await connection(on: loop, make).get()
            return await converse(bound, on: loop)
        } catch {
            say("Error: \(error)")
            return ExitStatus.failure.rawValue
        }
    }

    private func connection(
        on loop: any EventLoop, _ make: @escaping @Sendable (any EventLoop) -> sending any EndingConversation
    ) -> EventLoopFuture<NIOLoopBound<Talk>> {
        let arguments = arguments
        return loop.submit {
            let conversation = make(loop)
            let connection = ToolConnection(
                loop: loop, arguments: arguments, session: try ClientSession(arguments.configuration()),
                conversation: conversation, standardOutput: StandardOutput())
            return NIOLoopBound(Talk(connection: connection, conversation: conversation), eventLoop: loop)
        }
    }

    /// What lives on the loop.
    final class Talk {
        let connection: ToolConnection
        let conversation: any EndingConversation

        init(connection: ToolConnection, conversation: any EndingConversation) {
            self.connection = connection
            self.conversation = conversation
        }
    }

    private func converse(_ talk: NIOLoopBound<Talk>, on loop: any EventLoop) async -> Int32 {
        var isFirst = true
        while true {
            do {
                let opened = try await Connector.open(
                    endpoint, on: loop, timeout: Self.connectTimeout,
                    initialize: { $0.eventLoop.makeSucceededVoidFuture() })
                if isFirst { try? await loop.submit { talk.value.conversation.connected(talk.value.connection) }.get() }
                isFirst = false
                let error = try await loop.flatSubmit { talk.value.connection.adopt(opened) }.get()
                if let status = await verdict(error, talk, on: loop) { return status }
            } catch let failure as ConnectFailure {
                if isFirst { return complain(failure) }
            } catch {
                say("Error: \(error)")
                return ExitStatus.failure.rawValue
            }
            try? await loop.scheduleTask(in: Self.reconnectDelay) {}.futureResult.get()
        }
    }

    // MARK: How it ended

    /// Nil = connect again.
    private func verdict(
        _ error: ClientError?, _ talk: NIOLoopBound<Talk>, on loop: any EventLoop
    ) async -> Int32? {
        let (status, reconnects) =
            (try? await loop.submit { (talk.value.conversation.status, talk.value.conversation.reconnects) }.get())
            ?? (ExitStatus.failure.rawValue, false)
        switch error {
        case nil: return status
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
            if arguments.tls.isWanted, number == ECONNRESET || number == EPIPE { return complain(tls: failure) }
            say("Error: \(String(cString: strerror(number)))")
            return ExitStatus.failure.rawValue
        case .lookup: say("Unable to connect (Lookup error.).")
        case .tls: return complain(tls: failure)
        case .proxy:
            say(failure.description)
            say("Error: \(ExitStatus.proxy.text)")
            return ExitStatus.proxy.rawValue
        case .settings where arguments.tls.isWanted:
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
