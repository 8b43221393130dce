import Testing

@testable import BrokerServer

/// When output is written, decided without a socket or a clock.
@Suite("Flush pace")
struct FlushPaceTests {
    private let little = FlushPace.Waiting(bytes: 100, connections: 1)
    private let scattered = FlushPace.Waiting(bytes: 100_000, connections: 1000)

    @Test("a quiet turn answers its reads at once, a few of them")
    func quiet() {
        var pace = FlushPace()
        for _ in 0..<FlushPace.promptReadsMax {
            let writes = pace.writesAfterRead(little)
            #expect(writes)
        }
        let writes1 = pace.writesAfterRead(little)
        #expect(!writes1)
    }

    @Test("after a busy turn output waits for the turn's end, after a quiet one not")
    func busy() {
        var pace = FlushPace()
        for _ in 0...FlushPace.promptReadsMax { _ = pace.writesAfterRead(little) }
        let writes2 = pace.writesAfterTurn(little)
        #expect(writes2)
        let writes3 = pace.writesAfterRead(little)
        #expect(!writes3)
        let writes4 = pace.writesAfterTurn(little)
        #expect(writes4)
        let writes5 = pace.writesAfterRead(little)
        #expect(writes5)
    }

    @Test("much output for a few waits for the turn's end: more may join it")
    func much() {
        var pace = FlushPace()
        let writes6 = pace.writesAfterRead(.init(bytes: FlushPace.promptBytesMax, connections: 2))
        #expect(!writes6)
    }

    @Test("ample output for each connection is written before the next read, in a busy turn too")
    func ample() {
        var pace = FlushPace()
        for _ in 0...FlushPace.promptReadsMax { _ = pace.writesAfterRead(little) }
        _ = pace.writesAfterTurn(little)
        let ample = FlushPace.Waiting(bytes: 3 * FlushPace.runBytesAmple, connections: 3)
        let writes13 = pace.writesAfterRead(.init(bytes: ample.bytes - 1, connections: 3))
        #expect(!writes13)
        let writes14 = pace.writesAfterRead(ample)
        #expect(writes14)
    }

    @Test("bulk input for very many receivers gathers beyond the turn, until it is enough or time is up")
    func linger() {
        var pace = FlushPace()
        pace.received(FlushPace.bulkBytesMin)
        let writes7 = pace.writesAfterTurn(scattered)
        #expect(!writes7)
        #expect(pace.isLingering)
        let writes8 = pace.writesAfterRead(scattered)
        #expect(!writes8)
        let enough = FlushPace.Waiting(bytes: 1000 * FlushPace.runBytesEnough, connections: 1000)
        let writes9 = pace.writesAfterRead(enough)
        #expect(writes9)
        #expect(!pace.isLingering)

        pace.received(FlushPace.bulkBytesMin)
        let writes10 = pace.writesAfterTurn(scattered)
        #expect(!writes10)
        pace.lingerEnded()
        #expect(!pace.isLingering)
        let writes11 = pace.writesAfterTurn(scattered)
        #expect(writes11)
    }

    @Test("the same output after little input does not wait")
    func noBulk() {
        var pace = FlushPace()
        pace.received(1000)
        let writes12 = pace.writesAfterTurn(scattered)
        #expect(writes12)
    }
}
