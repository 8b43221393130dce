import MQTTClient
import MQTTTestKit
import MQTTTools
import Testing

@Suite("martlet bench", .timeLimit(.minutes(10)))
struct BenchTests {
    @Test("what is lost, comes twice, or late")
    func arrivals() {
        var check = ArrivalCheck()
        for number: UInt64 in [0, 1, 2, 5, 4, 4, 300, 0] { check.arrived(number) }
        #expect(check.distinct == 6)
        #expect(check.duplicates == 2)
        #expect(check.late == 1)
        check.arrived(.max)
        #expect(check.distinct == 6)
    }

    private func plan(_ kind: BenchPlan.Kind, _ broker: BrokerProcess) -> BenchPlan {
        var plan = BenchPlan(kind, .tcp("127.0.0.1", port: Int(broker.port)), ClientConfiguration())
        plan.clients = 3
        plan.messages = 500
        return plan
    }

    @Test("pairs: everything that was sent has come, once and in order, at every QoS", arguments: QoS.allCases)
    func pairs(_ qos: QoS) async throws {
        let broker = try BrokerProcess.start()
        var plan = plan(.pairs, broker)
        plan.qos = qos
        let report = await Bench(plan).run()
        #expect(report.isSound && report.failures.isEmpty)
        #expect(report.sent == 1_500 && report.received == 1_500)
        #expect(report.lost == 0 && report.duplicates == 0 && report.late == 0)
        #expect(report.latency?.count == 1_500)
        #expect(report.connections == 6)
        broker.stop()
    }

    @Test("conn counts connections and how long they took; a port where nobody is counts failures")
    func connections() async throws {
        let broker = try BrokerProcess.start()
        let report = await Bench(plan(.conn, broker)).run()
        #expect(report.connections == 3 && report.latency?.count == 3 && report.isSound)
        broker.stop()
        let closed = await Bench(plan(.conn, broker)).run()
        #expect(closed.connections == 0 && !closed.isSound)
        #expect(closed.failures.map(\.1) == [3])
    }

    @Test("pub at a rate takes the time it should")
    func rate() async throws {
        let broker = try BrokerProcess.start()
        var plan = plan(.pub, broker)
        plan.messages = 20
        plan.rate = 120
        plan.qos = .atLeastOnce
        let report = await Bench(plan).run()
        #expect(report.sent == 60 && report.latency?.count == 60 && report.isSound)
        #expect(report.seconds > 0.4)
        broker.stop()
    }

    @Test("sub counts what others send, until it has as many as were asked for")
    func counts() async throws {
        let broker = try BrokerProcess.start()
        let sending = plan(.pub, broker)
        let others = Task { while !Task.isCancelled { _ = await Bench(sending).run() } }
        var plan = plan(.sub, broker)
        plan.clients = 1
        plan.topic = "martlet-bench/#"
        plan.messages = 60
        #expect(await Bench(plan).run().received == 60)
        others.cancel()
        await others.value
        broker.stop()
    }

    @Test("the document is JSON with the numbers in it")
    func json() async throws {
        let broker = try BrokerProcess.start()
        let json = await Bench(plan(.pairs, broker)).run().json
        #expect(json.hasPrefix("{\"kind\":\"pairs\"") && json.hasSuffix("}"))
        #expect(json.contains("\"sent\":1500,\"received\":1500"))
        #expect(json.contains("\"p99.9\":"))
        broker.stop()
    }
}
