/// Topic aliases that the peer has set on this connection, §3.3.2.3.4. They end with the connection.
package struct ReceivedTopicAliases {
    private var topics: [[UInt8]] = []
    /// The largest alias that the peer may use: our Topic Alias Maximum.
    package let maximum: UInt16

    package init(maximum: UInt16) { self.maximum = maximum }

    /// Whether the peer may use `alias` at all. [5.0 MQTT-3.3.2-8] [5.0 MQTT-3.3.2-9]
    package func allows(_ alias: UInt16) -> Bool { alias >= 1 && alias <= maximum }

    package mutating func set(_ alias: UInt16, to topic: UnsafeRawBufferPointer) {
        precondition(allows(alias), "the caller checks the alias first")
        while topics.count < Int(alias) { topics.append([]) }
        topics[Int(alias) - 1] = [UInt8](topic)
    }

    /// The topic that `alias` stands for, or nil.
    package func topic(of alias: UInt16) -> [UInt8]? {
        guard allows(alias), Int(alias) <= topics.count, !topics[Int(alias) - 1].isEmpty else { return nil }
        return topics[Int(alias) - 1]
    }
}

/// Topic aliases that we set toward the peer, §3.3.2.3.4: the first topics sent get one each, for the connection's life.
package struct SentTopicAliases {
    package enum Use: Equatable {
        /// No alias: send the topic.
        case none
        /// Send topic and alias: the peer learns it.
        case introduce(UInt16)
        /// Send the alias alone.
        case use(UInt16)
    }

    private var topics: [[UInt8]] = []
    /// The smaller of the peer's Topic Alias Maximum and our own limit.
    package let maximum: UInt16
    /// Shorter topics cost less than the alias saves.
    package static let topicBytesMin = 4

    package init(maximum: UInt16) { self.maximum = maximum }

    package mutating func use(for topic: UnsafeRawBufferPointer) -> Use {
        guard maximum > 0, topic.count >= SentTopicAliases.topicBytesMin else { return .none }
        for (i, known) in topics.enumerated() where known.count == topic.count {
            if known.withUnsafeBytes({ $0.elementsEqual(topic) }) { return .use(UInt16(i + 1)) }
        }
        guard topics.count < Int(maximum) else { return .none }
        topics.append([UInt8](topic))
        return .introduce(UInt16(topics.count))
    }
}
