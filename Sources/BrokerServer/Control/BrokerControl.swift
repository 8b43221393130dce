import BrokerConfiguration
import BrokerCore
import Foundation

/// What `$CONTROL/broker/v1` answers with `enable_control_api true`: mosquitto 2.1's `listListeners` and `listPlugins`, in its
/// envelope.
struct BrokerControl: ControlAnswers {
    private let listeners: [ListenerConfiguration]

    init(_ listeners: [ListenerConfiguration]) { self.listeners = listeners }

    /// A request has a few commands: a longer one is not parsed, on a loop that serves others too.
    private static let requestBytesMax = 65_536

    private struct Failure: Error {
        let text: String
    }

    func answer(_ request: UnsafeRawBufferPointer) -> [UInt8] {
        let responses: [[String: Any]]
        do throws(Failure) {
            responses = try Self.commands(request).map { answer($0) }
        } catch {
            responses = [["command": "Unknown command", "error": error.text]]
        }
        let options: JSONSerialization.WritingOptions = [.sortedKeys, .withoutEscapingSlashes]
        let data = try? JSONSerialization.data(withJSONObject: ["responses": responses], options: options)
        return [UInt8](data ?? Data())  // nothing but texts, numbers and flags stands in it
    }

    private static func commands(_ request: UnsafeRawBufferPointer) throws(Failure) -> [Any] {
        guard request.count <= requestBytesMax, let value = try? JSONSerialization.jsonObject(with: Data(request))
        else {
            throw Failure(text: "Payload not valid JSON")
        }
        guard let commands = (value as? [String: Any])?["commands"] as? [Any] else {
            throw Failure(text: "Invalid/missing commands")
        }
        return commands
    }

    private func answer(_ value: Any) -> [String: Any] {
        guard let command = value as? [String: Any] else {
            return ["command": "Unknown command", "error": "Command not an object"]
        }
        guard let name = command["command"] as? String else {
            return ["command": "Unknown command", "error": "Missing command"]
        }
        var response: [String: Any] = ["command": name]
        if let correlation = command["correlationData"] {
            guard let text = correlation as? String else {
                response["error"] = "Invalid correlationData data type."
                return response
            }
            response["correlationData"] = text
        }
        switch name.lowercased() {
        case "listlisteners": response["data"] = ["listeners": listeners.map(Self.described)]
        // What mosquitto does by plugins Martlet does itself.
        case "listplugins": response["data"] = ["plugins": [Any]()]
        default: response["error"] = "Unknown command"
        }
        return response
    }

    private static func described(_ listener: ListenerConfiguration) -> [String: Any] {
        var text: [String: Any] = [
            "port": listener.port, "tls": listener.tls != nil,
            "protocol": listener.applicationProtocol == .websockets ? "mqtt+websockets" : "mqtt",
        ]
        switch listener.address {
        case .tcp(let host?, _): text["bind-address"] = host
        case .tcp(nil, _): break
        case .unix(let path): text["socket-path"] = path
        }
        return text
    }
}
