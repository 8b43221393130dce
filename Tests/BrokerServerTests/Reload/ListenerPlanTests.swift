import BrokerConfiguration
import Testing

@testable import BrokerServer

@Suite("What becomes of listeners at a reload")
struct ListenerPlanTests {
    private func listeners(_ text: String) throws -> [ListenerConfiguration] {
        try BrokerConfiguration.parse(text: Array(text.utf8), file: "a.conf").configuration.listeners
    }

    private func plan(_ old: String, _ new: String, free: [Int] = [], count: Int? = nil) throws -> ListenerPlan {
        let old = try listeners(old)
        return ListenerPlan(from: old, to: try listeners(new), free: free, count: count ?? old.count)
    }

    @Test("nothing moves: all of them go on")
    func same() throws {
        let plan = try plan("listener 1\nlistener 2 ::1\n", "listener 1\nlistener 2 ::1\n")
        #expect(plan.steps == [.keep(position: 0), .keep(position: 1)])
        #expect(plan.removed == [])
        #expect(plan.count == 2)
    }

    @Test("another order is no change")
    func order() throws {
        let plan = try plan("listener 1\nlistener 2\n", "listener 2\nlistener 1\n")
        #expect(plan.steps == [.keep(position: 1), .keep(position: 0)])
    }

    @Test("one in the middle goes: the others keep their numbers, and a new one gets another")
    func middle() throws {
        let plan = try plan("listener 1\nlistener 2\nlistener 3\n", "listener 1\nlistener 3\nlistener 4\n")
        #expect(plan.steps == [.keep(position: 0), .keep(position: 2), .add(number: 3)])
        #expect(plan.removed == [1])
        #expect(plan.count == 4)
    }

    @Test("numbers that nobody uses any more are used again")
    func free() throws {
        let plan = try plan("listener 1\n", "listener 2\nlistener 3\nlistener 4\n", free: [1, 2], count: 3)
        #expect(plan.steps == [.add(number: 2), .add(number: 1), .add(number: 3)])
        #expect(plan.removed == [0])
        #expect(plan.count == 4)
    }

    @Test("what is spoken changes: the socket stays and gets another listener; rules alone change nothing of that")
    func replaced() throws {
        #expect(
            try plan("listener 1\n", "listener 1\nprotocol websockets\n").steps == [.replace(position: 0, number: 1)])
        #expect(try plan("listener 1\n", "listener 1\nmax_connections 3\n").steps == [.keep(position: 0)])
    }

    @Test("another address is another socket")
    func address() throws {
        let plan = try plan("listener 1\n", "listener 1 127.0.0.1\n")
        #expect(plan.steps == [.add(number: 1)])
        #expect(plan.removed == [0])
    }
}
