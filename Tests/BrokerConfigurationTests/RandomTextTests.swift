import BrokerConfiguration
import SeededRandom
import Testing

@Suite("Any bytes end in a value or an error")
struct RandomTextTests {
    @Test("keys and values thrown together, with bytes changed", arguments: 1...40)
    func mutations(_ seed: UInt64) {
        var chance = SeededGenerator(seed: seed)
        let values = KeyCase.all.flatMap { $0.valid + $0.invalid }
        let names = KeyCase.all.map(\.key)
        for _ in 0..<50 {
            var bytes: [UInt8] = []
            for _ in 0..<Int.random(in: 0...12, using: &chance) {
                bytes += Array(
                    "\(names.randomElement(using: &chance)!) \(values.randomElement(using: &chance)!)\n".utf8)
            }
            for _ in 0..<Int.random(in: 0...4, using: &chance) where !bytes.isEmpty {
                bytes[Int.random(in: bytes.indices, using: &chance)] = UInt8.random(in: 0...255, using: &chance)
            }
            check(bytes, seed)
        }
    }

    @Test("noise", arguments: 1...20)
    func noise(_ seed: UInt64) {
        var chance = SeededGenerator(seed: seed)
        check(
            (0..<Int.random(in: 0...4096, using: &chance)).map { _ in UInt8.random(in: 0...255, using: &chance) }, seed)
    }

    private func check(_ bytes: [UInt8], _ seed: UInt64) {
        do {
            let (configuration, warnings) = try BrokerConfiguration.parse(text: bytes, file: "noise")
            #expect(!configuration.listeners.isEmpty, "seed \(seed)")
            #expect(configuration.listeners.allSatisfy { (1...65535).contains($0.port) }, "seed \(seed)")
            #expect(warnings.count <= 200, "seed \(seed)")
        } catch {
            #expect((1...20).contains(error.problems.count), "seed \(seed)")
        }
    }
}
