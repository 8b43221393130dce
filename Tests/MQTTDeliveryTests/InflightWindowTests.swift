import MQTTDelivery
import MQTTProtocol
import SeededRandom
import Testing

/// The window beside a model of ten lines.
@Suite("InflightWindow")
struct InflightWindowTests {
    /// What is in flight, oldest first.
    struct Model {
        var entries: [(identifier: UInt16, payload: Int, state: InflightState)] = []
        func index(_ identifier: UInt16) -> Int? { entries.firstIndex { $0.identifier == identifier } }
    }

    @Test("open, advance and close agree with a list", arguments: [1, 2, 3, 4, 5, 6, 7, 8] as [UInt64])
    func agreesWithModel(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var window = InflightWindow<Int>()
        var model = Model()
        let limit = 1 + Int(random.next() % 40)
        for step in 0..<5_000 {
            switch random.next() % 5 {
            case 0, 1:
                let span = model.entries.count
                guard window.hasRoom(limit: limit) else { break }
                #expect(span < limit)
                let state: InflightState = random.next() % 2 == 0 ? .puback : .pubrec
                let identifier = window.open(step, awaiting: state)
                #expect(identifier != 0)
                #expect(model.index(identifier) == nil, "identifier \(identifier) is in use")
                model.entries.append((identifier, step, state))
            case 2:
                guard let i = model.entries.indices.randomElement(using: &random) else { break }
                if model.entries[i].state == .pubrec {
                    window.advance(model.entries[i].identifier, to: .pubcomp)
                    model.entries[i].state = .pubcomp
                }
            case 3:
                // The oldest, mostly: peers acknowledge in order.
                guard
                    let i = random.next() % 3 == 0
                        ? model.entries.indices.randomElement(using: &random) : model.entries.indices.first
                else { break }
                equal(window.close(model.entries[i].identifier), model.entries[i].payload)
                model.entries.remove(at: i)
            default:
                let stranger = UInt16(random.next() & 0xFFFF)
                if model.index(stranger) == nil {
                    equal(window.state(of: stranger), nil)
                    equal(window.payload(of: stranger), nil)
                    equal(window.close(stranger), nil)
                }
            }
            equal(window.count, model.entries.count)
            var seen: [Int] = []
            window.forEach { seen.append($0.payload) }
            #expect(seen == model.entries.map(\.payload))
            for entry in model.entries {
                equal(window.state(of: entry.identifier), entry.state)
                equal(window.payload(of: entry.identifier), entry.payload)
            }
        }
    }

    @Test("identifiers go round after 65,535 and never are 0")
    func wrapsAround() {
        var window = InflightWindow<Int>()
        var expected: UInt16 = 1
        for turn in 0..<140_000 {
            let identifier = window.open(turn, awaiting: .puback)
            #expect(identifier == expected)
            if turn >= 3 {
                // Four in flight, closed in order, also across the end of the range.
                let oldest = UInt16((turn - 3) % 65_535 + 1)
                equal(window.close(oldest), turn - 3)
            }
            expected = expected == .max ? 1 : expected + 1
        }
        equal(window.count, 3)
        equal(window.span, 3)
    }

    @Test("one message that is never acknowledged does not let the span grow without limit")
    func spanIsBounded() {
        var window = InflightWindow<Int>()
        let oldest = window.open(0, awaiting: .puback)
        var opened = 0
        while window.hasRoom(limit: 20) {
            equal(window.close(window.open(1, awaiting: .puback)), 1)
            opened += 1
            #expect(opened < 1_000)
        }
        equal(window.count, 1)
        equal(window.close(oldest), 0)
        equal(window.span, 0)
        equal(window.hasRoom(limit: 20), true)
    }

    @Test("messages of an earlier connection keep identifier, state and order")
    func restores() throws {
        var window = InflightWindow<Int>()
        for (payload, identifier) in [65_533, 65_535, 2, 3].enumerated() {
            window.restore(
                payload, identifier: try #require(PacketIdentifier(UInt16(identifier))),
                state: payload == 0 ? .pubcomp : .pubrec)
        }
        equal(window.count, 4)
        equal(window.state(of: 65_533), .pubcomp)
        equal(window.state(of: 65_534), nil)
        equal(window.payload(of: 2), 2)
        equal(window.open(9, awaiting: .puback), 4)
        var seen: [Int] = []
        window.forEach { seen.append($0.payload) }
        #expect(seen == [0, 1, 2, 3, 9])
        for identifier in [65_533, 65_535, 2, 3, 4] as [UInt16] { equal(window.close(identifier) != nil, true) }
        equal(window.isEmpty, true)
        equal(window.span, 0)
    }

    @Test("emptying hands every payload out once, and identifiers go on")
    func removesAll() {
        var window = InflightWindow<Int>()
        for payload in 0..<10 { _ = window.open(payload, awaiting: .puback) }
        _ = window.close(5)
        var seen: [Int] = []
        window.removeAll { seen.append($0) }
        #expect(seen == [0, 1, 2, 3, 5, 6, 7, 8, 9])
        equal(window.isEmpty, true)
        equal(window.open(0, awaiting: .puback), 11)
    }
}

/// `#expect` cannot look into a value that may not be copied.
func equal<Value: Equatable>(_ found: Value, _ expected: Value, sourceLocation: SourceLocation = #_sourceLocation) {
    #expect(found == expected, sourceLocation: sourceLocation)
}
