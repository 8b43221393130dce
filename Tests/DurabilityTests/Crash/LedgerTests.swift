import Testing

/// The crash test's judge is judged: what it must object to, and what it must let pass.
@Suite("Ledger")
struct LedgerTests {
    private let twice = Stream(publisher: 0, topic: 0)
    private let once = Stream(publisher: 0, topic: 1)

    @Test("a gap, another QoS, and a QoS 2 message that comes twice are found")
    func hearing() {
        var hearing = Hearing(grantedQoS: 2)
        #expect(hearing.hear(twice, 1, qos: 2, mayRepeat: false) == nil)
        #expect(hearing.hear(twice, 3, qos: 2, mayRepeat: false)?.contains("missing") == true)
        #expect(hearing.hear(twice, 2, qos: 1, mayRepeat: false)?.contains("at QoS 1") == true)
        #expect(hearing.hear(twice, 2, qos: 2, mayRepeat: false) == nil)
        #expect(hearing.hear(twice, 2, qos: 2, mayRepeat: true)?.contains("again at QoS 2") == true)
        #expect(hearing.last(twice) == 2)
    }

    @Test("a QoS 1 message may come again where somebody sent it again, and only there")
    func repeats() {
        var hearing = Hearing(grantedQoS: 2)
        for number in 1...3 { #expect(hearing.hear(once, number, qos: 1, mayRepeat: false) == nil) }
        #expect(hearing.hear(once, 2, qos: 1, mayRepeat: true) == nil)
        #expect(hearing.hear(once, 3, qos: 1, mayRepeat: false)?.contains("without DUP") == true)
        #expect(hearing.repeats == 1)
    }

    @Test("a subscription of QoS 1 gets QoS 2 messages at QoS 1")
    func lowerQoS() {
        var hearing = Hearing(grantedQoS: 1)
        #expect(hearing.hear(twice, 1, qos: 1, mayRepeat: false) == nil)
        #expect(hearing.hear(twice, 1, qos: 1, mayRepeat: true) == nil)
        #expect(hearing.hear(twice, 2, qos: 2, mayRepeat: false)?.contains("at QoS 2") == true)
    }

    @Test("a group's members share a stream, each in order")
    func shared() {
        var shared = SharedHearing()
        #expect(shared.hear(twice, 2, by: "b", qos: 2, mayRepeat: false) == nil)
        #expect(shared.hear(twice, 3, by: "a", qos: 2, mayRepeat: false) == nil)
        #expect(shared.firstMissing(twice, of: 3) == 1)
        #expect(shared.hear(twice, 1, by: "a", qos: 2, mayRepeat: false)?.contains("out of order") == true)
        #expect(shared.firstMissing(twice, of: 3) == nil)
        #expect(shared.firstMissing(twice, of: 4) == 4)
        #expect(shared.hear(twice, 3, by: "b", qos: 2, mayRepeat: true)?.contains("again at QoS 2") == true)
        #expect(shared.hear(once, 2, by: "a", qos: 1, mayRepeat: false) == nil)
        #expect(shared.hear(once, 1, by: "a", qos: 1, mayRepeat: true) == nil)
        #expect(shared.hear(once, 1, by: "b", qos: 1, mayRepeat: false)?.contains("without DUP") == true)
    }

    @Test("retained is what was acknowledged last, or what was sent after it")
    func retention() {
        var retention = Retention()
        #expect(retention.allows(nil))
        let first = retention.send(1)
        #expect(retention.allows(nil) && retention.allows(1))
        retention.acknowledge(first)
        #expect(retention.allows(1) && !retention.allows(nil))
        let deleted = retention.send(nil)
        let third = retention.send(3)
        #expect(retention.allows(1) && retention.allows(nil) && retention.allows(3))
        retention.acknowledge(third)
        #expect(retention.allows(3) && !retention.allows(nil) && !retention.allows(1))
        retention.acknowledge(deleted)
        #expect(retention.allows(3) && !retention.allows(nil))
    }

    @Test("topics' names tell publisher and number, and nothing else does")
    func names() {
        for publisher in 0..<3 {
            for topic in 0..<6 {
                let stream = Stream(publisher: publisher, topic: topic)
                #expect(Stream(stream.topicName) == stream)
            }
        }
        for name in ["crash/1", "crash/1/x", "other/1/2", "crash/1/2/3"] { #expect(Stream(name) == nil) }
    }
}
