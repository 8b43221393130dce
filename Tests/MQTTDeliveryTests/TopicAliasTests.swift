import MQTTDelivery
import Testing

@Suite("Topic aliases")
struct TopicAliasTests {
    private func set(_ alias: UInt16, _ topic: String, _ aliases: inout ReceivedTopicAliases) {
        Array(topic.utf8).withUnsafeBytes { aliases.set(alias, to: $0) }
    }

    private func use(_ topic: String, _ aliases: inout SentTopicAliases) -> SentTopicAliases.Use {
        Array(topic.utf8).withUnsafeBytes { aliases.use(for: $0) }
    }

    @Test("received: known when set, replaced when set again, never outside 1 to the maximum")
    func received() {
        var aliases = ReceivedTopicAliases(maximum: 3)
        #expect(!aliases.allows(0))
        #expect(aliases.allows(3))
        #expect(!aliases.allows(4))
        #expect(aliases.topic(of: 3) == nil)
        set(3, "a/b", &aliases)
        #expect(aliases.topic(of: 3) == Array("a/b".utf8))
        #expect(aliases.topic(of: 1) == nil, "a gap below is not set")
        set(3, "c", &aliases)
        #expect(aliases.topic(of: 3) == Array("c".utf8))
        #expect(aliases.topic(of: 0) == nil)
        #expect(aliases.topic(of: 4) == nil)
    }

    @Test("sent: introduced once, then used; the first topics get them, short ones never")
    func sent() {
        var aliases = SentTopicAliases(maximum: 2)
        #expect(use("abc", &aliases) == .none)
        #expect(use("long/topic", &aliases) == .introduce(1))
        #expect(use("long/topic", &aliases) == .use(1))
        #expect(use("other/topic", &aliases) == .introduce(2))
        #expect(use("third/topic", &aliases) == .none)
        #expect(use("other/topic", &aliases) == .use(2))
        var off = SentTopicAliases(maximum: 0)
        #expect(use("long/topic", &off) == .none)
    }
}
