import Foundation
import MQTTProtocol

/// The properties that travel with a message, as lists of a name and its values, in their order: exactly the bytes that
/// were there come back.
enum PropertyLines {
    /// As texts; nil where the bytes are not properties of a message.
    static func lists(_ encoded: [UInt8]) -> [[[UInt8]]]? {
        encoded.withUnsafeBytes { block in
            var lists: [[[UInt8]]] = []
            var reader = PropertyReader(block, in: .publishFromServer)
            do {
                while let next = try reader.next() { lists.append(list(next)) }
                return lists
            } catch {
                return nil
            }
        }
    }

    private static func list(_ next: ReceivedProperty) -> [[UInt8]] {
        switch next.property {
        case .payloadFormatIndicator: [Array("payload-format-indicator".utf8), Array(String(next.number).utf8)]
        case .contentType: [Array("content-type".utf8), [UInt8](next.bytes)]
        case .responseTopic: [Array("response-topic".utf8), [UInt8](next.bytes)]
        case .userProperty: [Array("user-property".utf8), [UInt8](next.bytes), [UInt8](next.second)]
        case .correlationData:
            [Array("correlation-data".utf8), Array(Data(next.bytes).base64EncodedString().utf8)]
        default: []
        }
    }

    static func encode(_ lists: [JSONValue]) throws(JSONFields.Failure) -> [UInt8] {
        var bytes: [UInt8] = []
        for list in lists {
            guard case .array(let parts) = list, case .string(let name) = parts.first else { throw failure }
            var values: [[UInt8]] = []
            for part in parts.dropFirst() {
                guard case .string(let text) = part, text.count <= 65_535 else { throw failure }
                values.append(text)
            }
            bytes += try encode(String(decoding: name, as: UTF8.self), values)
        }
        // Whatever the names say, only what a PUBLISH may carry comes in.
        guard Self.lists(bytes) != nil else { throw failure }
        return bytes
    }

    private static var failure: JSONFields.Failure {
        .init(reason: "\"properties\" holds what is no property of a message")
    }

    private static func encode(_ name: String, _ values: [[UInt8]]) throws(JSONFields.Failure) -> [UInt8] {
        func field(_ bytes: [UInt8]) -> [UInt8] { [UInt8(bytes.count >> 8), UInt8(bytes.count & 0xFF)] + bytes }
        switch (name, values.count) {
        case ("payload-format-indicator", 1):
            guard let value = UInt8(String(decoding: values[0], as: UTF8.self)) else { throw failure }
            return [Property.payloadFormatIndicator.rawValue, value]
        case ("content-type", 1): return [Property.contentType.rawValue] + field(values[0])
        case ("response-topic", 1): return [Property.responseTopic.rawValue] + field(values[0])
        case ("user-property", 2): return [Property.userProperty.rawValue] + field(values[0]) + field(values[1])
        case ("correlation-data", 1):
            guard let data = Data(base64Encoded: Data(values[0])), data.count <= 65_535 else { throw failure }
            return [Property.correlationData.rawValue] + field([UInt8](data))
        default: throw failure
        }
    }
}
