import MQTTDelivery
import SeededRandom
import Testing

@Suite("ReceivedIdentifiers")
struct ReceivedIdentifiersTests {
    @Test("insert, contains and remove agree with a list", arguments: [1, 2, 3, 4] as [UInt64])
    func agreesWithModel(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var held = ReceivedIdentifiers()
        var model: [UInt16] = []
        for _ in 0..<10_000 {
            let identifier = UInt16(1 + random.next() % 80)
            switch random.next() % 5 {
            case 0, 1:
                let isNew = held.insert(identifier)
                #expect(isNew == !model.contains(identifier))
                if !model.contains(identifier) { model.append(identifier) }
            case 2:
                let wasHeld = held.remove(identifier)
                #expect(wasHeld == model.contains(identifier))
                model.removeAll { $0 == identifier }
            case 3:
                // In the order they came, as peers do.
                guard let oldest = model.first else { break }
                let wasHeld = held.remove(oldest)
                #expect(wasHeld)
                model.removeFirst()
            default: #expect(held.contains(identifier) == model.contains(identifier))
            }
            #expect(Array(held.all) == model)
            #expect(held.count == model.count)
        }
        held.removeAll()
        #expect(held.count == 0)
        #expect(!held.contains(1))
    }
}
