import MQTTDelivery
import Testing

/// A client's keep-alive on a clock moved by hand.
@Suite("KeepAlive")
struct KeepAliveTests {
    private let start = ContinuousClock.now
    private func at(_ seconds: Double) -> ContinuousClock.Instant { start + .seconds(seconds) }
    private func limits(_ sendIdle: Int?, receive: Int? = nil, pingresp: Int = 5) -> KeepAlive.Limits {
        KeepAlive.Limits(
            sendIdle: sendIdle.map { .seconds($0) }, receiveIdle: receive.map { .seconds($0) },
            pingresp: .seconds(pingresp))
    }

    @Test("[5.0 MQTT-3.1.2-20] PINGREQ when nothing was sent for the keep-alive, and not before")
    func pings() {
        var keepAlive = KeepAlive.idle
        #expect(keepAlive.start(limits(60), at: at(0)) == at(60))
        keepAlive.sent(at: at(30))
        #expect(keepAlive.timerFired(at: at(60)) == .rearm(at(90)))
        #expect(keepAlive.timerFired(at: at(90)) == .sendPingreq(at(95)))
    }

    @Test("a PINGRESP in time, then the next round")
    func answered() {
        var keepAlive = KeepAlive.idle
        _ = keepAlive.start(limits(10), at: at(0))
        _ = keepAlive.timerFired(at: at(10))
        keepAlive.received(at: at(10.2))
        let asked = keepAlive.receivedPingresp()
        #expect(asked)
        #expect(keepAlive.timerFired(at: at(15)) == .rearm(at(20)))
        let unasked = keepAlive.receivedPingresp()
        #expect(!unasked)
    }

    @Test("no PINGRESP: expired, once")
    func silent() {
        var keepAlive = KeepAlive.idle
        _ = keepAlive.start(limits(10), at: at(0))
        #expect(keepAlive.timerFired(at: at(10)) == .sendPingreq(at(15)))
        #expect(keepAlive.timerFired(at: at(14)) == .rearm(at(15)))
        #expect(keepAlive.timerFired(at: at(15)) == .expired)
        #expect(keepAlive.timerFired(at: at(16)) == .none)
    }

    @Test("bytes that come put the end off: a large packet may be before the PINGRESP")
    func slow() {
        var keepAlive = KeepAlive.idle
        _ = keepAlive.start(limits(10), at: at(0))
        _ = keepAlive.timerFired(at: at(10))
        keepAlive.received(at: at(13))
        #expect(keepAlive.timerFired(at: at(15)) == .rearm(at(18)))
        #expect(keepAlive.timerFired(at: at(18)) == .expired)
    }

    @Test("keep-alive 0 sends nothing, and a receive limit holds all the same")
    func off() {
        var keepAlive = KeepAlive.idle
        #expect(keepAlive.start(limits(nil), at: at(0)) == nil)
        #expect(keepAlive.timerFired(at: at(1_000)) == .none)
        #expect(keepAlive.start(limits(nil, receive: 30), at: at(0)) == at(30))
        keepAlive.sent(at: at(20))
        #expect(keepAlive.timerFired(at: at(30)) == .sendPingreq(at(35)))
    }

    @Test("a short keep-alive asks again before it gives up")
    func impatientServer() {
        var keepAlive = KeepAlive.idle
        _ = keepAlive.start(limits(2, pingresp: 5), at: at(0))
        #expect(keepAlive.timerFired(at: at(2)) == .sendPingreq(at(4)))
        #expect(keepAlive.timerFired(at: at(4)) == .sendPingreq(at(6)))
        #expect(keepAlive.timerFired(at: at(6)) == .sendPingreq(at(7)))
        #expect(keepAlive.timerFired(at: at(7)) == .expired)
    }

    @Test("while we do not read, nobody is given up, and PINGREQ goes on")
    func paused() {
        var keepAlive = KeepAlive.idle
        _ = keepAlive.start(limits(10, receive: 10), at: at(0))
        keepAlive.pause(true, at: at(1))
        #expect(keepAlive.timerFired(at: at(10)) == .sendPingreq(at(15)))
        #expect(keepAlive.timerFired(at: at(15)) == .rearm(at(20)))
        #expect(keepAlive.timerFired(at: at(20)) == .sendPingreq(at(25)))
        #expect(keepAlive.timerFired(at: at(21)) == .rearm(at(26)))
        keepAlive.pause(false, at: at(22))
        #expect(keepAlive.timerFired(at: at(26)) == .rearm(at(27)))
        #expect(keepAlive.timerFired(at: at(27)) == .expired)
    }
}
