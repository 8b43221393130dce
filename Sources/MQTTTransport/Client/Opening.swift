import Certificates
import NIOConcurrencyHelpers
package import NIOCore

/// What becomes of one channel on its way to a broker. Written on the channel's loop, and read where the result is wanted, also
/// when the channel's handlers are gone.
final class Opening: Sendable {
    /// Kept when all stages are through; broken with a `ConnectFailure`.
    let done: EventLoopPromise<Void>
    private let box = NIOLockedValueBox(State())

    private struct State {
        var refusal: Refusal?
        var failure: ConnectFailure?
    }

    init(_ loop: any EventLoop) { done = loop.makePromise(of: Void.self) }

    /// What we thought of the server's certificate.
    var refusal: Refusal? { box.withLockedValue { $0.refusal } }
    func refuse(_ refusal: Refusal) { box.withLockedValue { $0.refusal = refusal } }

    /// What ended it before MQTT's first bytes.
    var failure: ConnectFailure? { box.withLockedValue { $0.failure } }
    func fail(_ failure: ConnectFailure) { box.withLockedValue { $0.failure = failure } }
}

/// A channel that has come as far as MQTT.
package struct OpenedChannel: Sendable {
    package let channel: any Channel
    private let opening: Opening

    init(channel: any Channel, opening: Opening) { (self.channel, self.opening) = (channel, opening) }

    /// Why it is closed already, where that is so and a reason is known.
    package var failure: ConnectFailure? { opening.failure }
}
