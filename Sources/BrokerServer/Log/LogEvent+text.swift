import BrokerConfiguration
import BrokerCore
import MQTTProtocol
import NIOCore

extension LogWriter {
    /// The lines of an event, in mosquitto's words (SEED_SYSTEMS §7).
    func lines(of event: LogEvent, address: (ConnectionID) -> SocketAddress?) -> [(LogType, String)] {
        switch event {
        case .connected(let id, let client, let version, let cleanStart, let keepAlive, let userName):
            let user = userName.map { ", u'\($0)'" } ?? ""
            let level = version == .v31 ? 1 : version == .v311 ? 2 : 5
            return [
                (
                    .notice,
                    "New client connected from \(LogWriter.text(address(id))) as \(client) "
                        + "(p\(level), c\(cleanStart ? 1 : 0), k\(keepAlive)\(user))."
                )
            ]
        case .willSpecified(let bytes, let retain, let qos, let topic):
            return [
                (.debug, "Will message specified (\(bytes) bytes) (r\(retain ? 1 : 0), q\(qos.rawValue))."),
                (.debug, "\t\(topic)"),
            ]
        case .noWillSpecified: return [(.debug, "No will message specified.")]
        case .refused(let id, let code, let version):
            let value = version == .v5 ? code.rawValue : Connack(sessionPresent: false, reasonCode: code).returnCode
            return [(.debug, "Sending CONNACK to \(address(id)?.ipAddress ?? "<unknown>") (0, \(value))")]
        case .sendingConnack(let client, let sessionPresent, let code):
            return [(.debug, "Sending CONNACK to \(client) (\(sessionPresent ? 1 : 0), \(code))")]
        case .disconnected(_, let client, let cause):
            return [(.notice, LogWriter.text(client: client?.description ?? "<unknown>", cause))]
        case .loginRefused(_, let client, let userName, let refusal):
            return [(.notice, LogWriter.text(client, userName, refusal))]
        case .denied(let action, let subject, let topic, let why, let isDetail):
            return [(isDetail ? .debug : .notice, LogWriter.text(action, subject, topic, why))]
        case .takenOver(let client):
            return [(.error, "Client \(client) already connected, closing old connection.")]
        case .subscription(let client, let filter, let qos):
            return [(.debug, "\t\(filter) (QoS \(qos))"), (.subscribe, "\(client) \(qos) \(filter)")]
        case .unsubscription(let client, let filter):
            return [(.debug, "\t\(filter)"), (.unsubscribe, "\(client) \(filter)")]
        case .queueFull(let client, let limit):
            return [
                (
                    .notice,
                    "Outgoing messages are being dropped for client \(client): \(LogWriter.text(limit))."
                )
            ]
        case .readerStalled(let client, let milliseconds):
            return [
                (
                    .notice,
                    "Client \(client) does not read: nobody waits for it after \(milliseconds) ms (slow_reader_wait), "
                        + "QoS 0 messages to it are dropped and counted."
                )
            ]
        case .readerRecovered(let client, let dropped):
            return [(.notice, "Client \(client) reads again; \(dropped) messages to it were dropped.")]
        case .storageFailed(let failure, let messages):
            return [(.error, "Storage is \(failure): \(messages) requests were not kept and are not acknowledged.")]
        case .received, .sending, .publish: return [(.debug, LogWriter.packet(event))]
        }
    }

    /// The limit that was reached, and the key that sets it.
    private static func text(_ limit: QueueLimit) -> String {
        switch limit {
        case .messages(let count): "its queue holds \(count) messages (max_queued_messages)"
        case .bytes(let count): "its queue holds \(count) bytes (max_queued_bytes)"
        case .age(let seconds): "they have waited \(seconds) seconds (queue_max_age)"
        case .store: "the store is full (store_max_messages, store_max_bytes)"
        }
    }

    /// Debug lines of single packets.
    private static func packet(_ event: LogEvent) -> String {
        switch event {
        case .received(let type, let client, let identifier, let reason):
            switch type {
            case .puback, .pubcomp:
                "Received \(type.name) from \(client) (Mid: \(identifier), RC:\(reason))"
            case .pubrec, .pubrel: "Received \(type.name) from \(client) (Mid: \(identifier))"
            default: "Received \(type.name) from \(client)"
            }
        case .sending(let type, let client, let identifier, let reason):
            switch type {
            case .puback, .pubrec: "Sending \(type.name) to \(client) (m\(identifier), rc\(reason))"
            case .pubrel, .pubcomp: "Sending \(type.name) to \(client) (m\(identifier))"
            default: "Sending \(type.name) to \(client)"
            }
        case .publish(
            let direction, let client, let duplicate, let qos, let retain, let identifier, let topic, let bytes):
            "\(verb(direction)) \(client) (d\(duplicate ? 1 : 0), q\(qos), r\(retain ? 1 : 0), m\(identifier), "
                + "'\(MQTTString(topic)?.description ?? "")', ... (\(bytes) bytes))"
        default: ""
        }
    }

    private static func verb(_ direction: LogEvent.PublishDirection) -> String {
        switch direction {
        case .received: "Received PUBLISH from"
        case .sending: "Sending PUBLISH to"
        case .denied: "Denied PUBLISH from"
        }
    }

    private static func text(client: String, _ cause: DisconnectCause) -> String {
        switch cause {
        case .disconnected: "Client \(client) disconnected."
        case .closed: "Client \(client) closed its connection."
        case .keepAliveTimeout: "Client \(client) has exceeded timeout, disconnecting."
        case .connectTimeout: "Client \(client) has exceeded timeout, disconnecting: no CONNECT came."
        case .takenOver: "Client \(client) disconnected, session taken over."
        case .shuttingDown: "Client \(client) disconnected, server shutting down."
        case .administrative: "Client \(client) disconnected by administrative action."
        case .dismissed(let reason): "Client \(client) disconnected: \(text(reason))."
        case .fault(let error): "Client \(client) disconnected due to \(kind(of: error.reasonCode)): \(error)."
        case .refused(.notAuthorized): "Client \(client) disconnected, not authorised."
        case .refused(let code) where [.malformedPacket, .protocolError, .packetTooLarge].contains(code):
            "Client \(client) disconnected due to \(kind(of: code))."
        case .refused(let code): "Client \(client) disconnected: \(code)."
        }
    }

    private static func kind(of code: ReasonCode) -> String {
        switch code {
        case .malformedPacket: "malformed packet"
        case .packetTooLarge: "oversize packet"
        default: "protocol error"
        }
    }
}

extension PacketType {
    /// As the standard writes it.
    var name: String { "\(self)".uppercased() }
}
