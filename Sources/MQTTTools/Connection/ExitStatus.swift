import MQTTClient

/// Why a tool ends, as a number and in mosquitto's words.
enum ExitStatus: Int32, Sendable {
    case success = 0
    case failure = 1
    case protocolError = 2
    case notConnected = 4
    case refused = 5
    case connectionLost = 7
    case tls = 8
    case proxy = 16
    case qosNotSupported = 24
    case packetTooLarge = 25
    case timedOut = 27

    /// mosquitto_strerror's text.
    var text: String {
        switch self {
        case .success: "No error."
        case .failure: "Unknown error."
        case .protocolError: "A network protocol error occurred when communicating with the broker."
        case .notConnected: "The client is not currently connected."
        case .refused: "The connection was refused."
        case .connectionLost: "The connection was lost."
        case .tls: "A TLS error occurred."
        case .proxy: "Proxy error."
        case .qosNotSupported: "Requested QoS not supported on server."
        case .packetTooLarge: "Packet larger than supported by the server."
        case .timedOut: "Timed out"
        }
    }

    /// The return codes of 3.1.1 in mosquitto's words, and the reason codes of 5.0.
    static func connackText(_ code: ReasonCode, version: ProtocolVersion) -> String {
        guard version != .v5 else { return code.description }
        return switch code {
        case .unsupportedProtocolVersion: "Connection Refused: unacceptable protocol version."
        case .clientIdentifierNotValid: "Connection Refused: identifier rejected."
        case .serverUnavailable: "Connection Refused: broker unavailable."
        case .badUserNameOrPassword: "Connection Refused: bad user name or password."
        case .notAuthorized: "Connection Refused: not authorised."
        default: "Connection Refused: unknown reason."
        }
    }
}
