import NIOCore
import Testing

@testable import BrokerServer

/// Places among the strangers, without a socket: nothing may be counted twice or stay behind.
@Suite("Places among the strangers")
struct StrangerTicketTests {
    private let near = try? SocketAddress(ipAddress: "192.0.2.1", port: 1)
    private let far = try? SocketAddress(ipAddress: "192.0.2.2", port: 1)

    @Test("a place is given back once, however often it is left")
    func leavesOnce() throws {
        let strangers = Strangers(allMax: 2, perAddressMax: 1)
        let first = try #require(StrangerTicket(strangers, address: near))
        #expect(StrangerTicket(strangers, address: near) == nil)
        let second = try #require(StrangerTicket(strangers, address: far))
        #expect(StrangerTicket(strangers, address: nil) == nil)
        first.leave()
        first.leave()
        #expect(StrangerTicket(strangers, address: near) != nil)
        #expect(StrangerTicket(strangers, address: nil) == nil)
        second.leave()
    }

    @Test("behind a proxy a place has no address until the proxy says it, then its limit holds")
    func named() throws {
        let strangers = Strangers(allMax: 10, perAddressMax: 1)
        let first = try #require(StrangerTicket(strangers, address: nil))
        let second = try #require(StrangerTicket(strangers, address: nil))
        let address = try #require(near)
        #expect(first.name(address))
        #expect(!second.name(address))
        second.leave()
        first.leave()
        let third = try #require(StrangerTicket(strangers, address: nil))
        #expect(third.name(address))
        third.leave()
        // Everything has been given back.
        let all = (0..<10).compactMap { _ in StrangerTicket(strangers, address: nil) }
        #expect(all.count == 10)
    }

    @Test(
        "many addresses do not fill the listener: the fuller it is, the fewer of one address",
        arguments: [10, 50, 200, 900])
    func shares(addresses: Int) throws {
        let strangers = Strangers(allMax: 1000, perAddressMax: 100)
        func address(_ index: Int) throws -> SocketAddress {
            try SocketAddress(ipAddress: "10.0.\(index / 250).\(index % 250)", port: 1)
        }
        var tickets: [StrangerTicket] = []
        for round in 0..<100 {
            for index in 0..<addresses {
                if let ticket = StrangerTicket(strangers, address: try address(index)) { tickets.append(ticket) }
            }
            if round == 0 { #expect(tickets.count == addresses) }
        }
        #expect(tickets.count < 1000)
        #expect(StrangerTicket(strangers, address: try SocketAddress(ipAddress: "192.0.2.1", port: 1)) != nil)
        tickets.forEach { $0.leave() }
        // With room again, one address has all of its own.
        let own = try address(0)
        let again = (0..<120).compactMap { _ in StrangerTicket(strangers, address: own) }
        #expect(again.count == 100)
    }

    @Test("failures are written one by one until there are many, then counted, then written again")
    func pace() {
        let pace = FailurePace()
        #expect(pace.failure() == .write(isFirst: true))
        for _ in 1..<FailurePace.linesMax { #expect(pace.failure() == .write(isFirst: false)) }
        for _ in 0..<50 { #expect(pace.failure() == .count) }
        #expect(pace.windowEnded() == 50)
        #expect(pace.failure() == .write(isFirst: true))
        #expect(pace.windowEnded() == 0)
    }
}
