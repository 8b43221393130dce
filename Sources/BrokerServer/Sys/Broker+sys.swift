import BrokerConfiguration
import BrokerCore
import BrokerStore
import NIOConcurrencyHelpers
import NIOCore

/// `$SYS`: what is counted, and the timer that says it.
struct Sys: Sendable {
    var topics: SysTopics
    var timer: RepeatedTask?
}

extension Broker {
    /// Begins to publish `$SYS` every so many seconds, or ends it where that is nil. A reload may ask for another interval.
    func startSys(every seconds: Int?) {
        sys.withLockedValue {
            $0.timer?.cancel()
            $0.timer = nil
        }
        guard let seconds, seconds > 0, let first = loops.first else { return }
        let clock = clock
        let loops = loops
        let log = log
        let store = store
        let sys = sys
        let interval = TimeAmount.seconds(Int64(seconds))
        let timer = first.eventLoop.scheduleRepeatedAsyncTask(initialDelay: .zero, delay: interval) { _ in
            Self.status(of: loops, store, on: first.eventLoop).map { status in
                for (topic, payload) in sys.withLockedValue({ $0.topics.update(status, now: clock.now()) }) {
                    first.value.publish(topic: Array(topic.utf8), payload: Array(payload.utf8))
                }
                for line in log.takeTopicLines() {
                    first.value.publish(topic: Array(line.topic.utf8), payload: Array(line.text.utf8))
                }
            }
        }
        sys.withLockedValue { $0.timer = timer }
    }

    /// SIGUSR2: one line of what there is. (mosquitto writes its whole tree of subscriptions, "for debugging only"; a tree of
    /// a million would hold up the log.)
    package func logStatus() {
        guard let first = loops.first else { return }
        let log = log
        Self.status(of: loops, store, on: first.eventLoop).whenSuccess { status in
            log.write(
                .information,
                "Status: clients connected: \(status.clientsConnected), sessions: \(status.sessions), subscriptions: "
                    + "\(status.subscriptions), retained messages: \(status.retainedMessages), queued messages: "
                    + "\(status.waitingMessages).")
        }
    }

    /// All shards' numbers together, and the store's.
    private static func status(
        of loops: [NIOLoopBound<ShardLoop>], _ store: Store?, on eventLoop: any EventLoop
    ) -> EventLoopFuture<ShardStatus> {
        let gathered = loops.map { loop in loop.eventLoop.submit { loop.value.status() } }
        return EventLoopFuture.whenAllSucceed(gathered, on: eventLoop).map { all in
            var status = all.reduce(ShardStatus(), +)
            if let kept = store?.statistics {
                status.waitingMessages = kept.queued
                status.waitingMessageBytes = kept.queuedBytes
            }
            return status
        }
    }
}
