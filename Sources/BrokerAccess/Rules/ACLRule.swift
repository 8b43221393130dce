import BrokerCore
import MQTTProtocol

/// One line of an ACL file.
package struct ACLRule: Sendable {
    package enum Access: UInt8, Sendable {
        case deny = 0
        case read = 1
        case write = 2
        case readWrite = 3

        init?(word: some Sequence<UInt8>) {
            switch String(decoding: Array(word), as: UTF8.self) {
            case "read": self = .read
            case "write": self = .write
            case "readwrite": self = .readWrite
            case "deny": self = .deny
            default: return nil
            }
        }

        package var word: String {
            switch self {
            case .deny: "deny"
            case .read: "read"
            case .write: "write"
            case .readWrite: "readwrite"
            }
        }

        func contains(_ action: AccessAction) -> Bool {
            switch action {
            case .publish: rawValue & Access.write.rawValue != 0
            case .receive: rawValue & Access.read.rawValue != 0
            case .subscribe, .unsubscribe: true
            }
        }
    }

    package let filter: [UInt8]
    package let access: Access
    /// `pattern`, not `topic`.
    package let isPattern: Bool
    /// From 1.
    package let line: Int

    /// Somewhere in it stands the placeholder.
    let namesClient: Bool
    let namesUser: Bool

    init(filter: [UInt8], access: Access, isPattern: Bool, line: Int) {
        self.filter = filter
        self.access = access
        self.isPattern = isPattern
        self.line = line
        namesClient = isPattern && ACLRule.holds(UInt8(ascii: "c"), filter)
        namesUser = isPattern && ACLRule.holds(UInt8(ascii: "u"), filter)
    }

    private static func holds(_ letter: UInt8, _ filter: [UInt8]) -> Bool {
        zip(filter, filter.dropFirst()).contains { $0 == UInt8(ascii: "%") && $1 == letter }
    }

    /// As the file has it, for people.
    package var text: String {
        "\(isPattern ? "pattern" : "topic") \(access.word) \(MQTTString(filter)?.description ?? "")"
    }

    // MARK: Matching

    /// Whether the rule speaks of this topic, for this client.
    func matches(_ topic: UnsafeRawBufferPointer, _ subject: AccessSubject) -> Bool {
        guard namesClient || namesUser else { return filter.withUnsafeBytes { TopicMatch.matches($0, topic) } }
        // A rule with %u says nothing about who has no name.
        if namesUser, subject.userName == nil { return false }
        let user = subject.userName?.bytes ?? []
        let client = subject.clientIdentifier.bytes
        // A level of a topic is matched by itself or `+`: a filter that is longer than this matches no topic.
        let lengthMax = 2 * topic.count + 2
        return withUnsafeTemporaryAllocation(byteCount: lengthMax, alignment: 1) { room in
            var length = 0
            func append(_ bytes: some Collection<UInt8>) -> Bool {
                guard length + bytes.count <= lengthMax else { return false }
                for byte in bytes {
                    room[length] = byte
                    length += 1
                }
                return true
            }
            var i = 0
            while i < filter.count {
                let isMark = filter[i] == UInt8(ascii: "%") && i + 1 < filter.count
                if isMark, filter[i + 1] == UInt8(ascii: "c") {
                    guard append(client) else { return false }
                    i += 2
                } else if isMark, filter[i + 1] == UInt8(ascii: "u") {
                    guard append(user) else { return false }
                    i += 2
                } else {
                    guard append(CollectionOfOne(filter[i])) else { return false }
                    i += 1
                }
            }
            return TopicMatch.matches(UnsafeRawBufferPointer(rebasing: room[..<length]), topic)
        }
    }
}

/// Whether a filter matches a topic, §4.7, level by level.
enum TopicMatch {
    static func matches(_ filter: UnsafeRawBufferPointer, _ topic: UnsafeRawBufferPointer) -> Bool {
        guard let first = filter.first, let other = topic.first else { return filter.isEmpty && topic.isEmpty }
        // Neither do wildcards see `$` topics, nor does `$…` see others. [5.0 MQTT-4.7.2-1]
        guard (first == UInt8(ascii: "$")) == (other == UInt8(ascii: "$")) else { return false }
        var f = 0
        var t = 0
        while true {
            if f < filter.count, filter[f] == UInt8(ascii: "#"), f == filter.count - 1 { return true }
            let filterEnd = end(of: filter, from: f)
            let topicEnd = end(of: topic, from: t)
            let isAny = filterEnd == f + 1 && filter[f] == UInt8(ascii: "+")
            guard isAny || filter[f..<filterEnd].elementsEqual(topic[t..<topicEnd]) else { return false }
            let filterIsOver = filterEnd == filter.count
            let topicIsOver = topicEnd == topic.count
            if filterIsOver || topicIsOver {
                if filterIsOver, topicIsOver { return true }
                // `a/#` matches `a` too.
                return topicIsOver && filter[filterEnd...].elementsEqual("/#".utf8)
            }
            f = filterEnd + 1
            t = topicEnd + 1
        }
    }

    private static func end(of bytes: UnsafeRawBufferPointer, from start: Int) -> Int {
        var at = start
        while at < bytes.count, bytes[at] != UInt8(ascii: "/") { at += 1 }
        return at
    }
}
