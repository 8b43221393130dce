package import BrokerCore

/// Several shards of one broker and the mail between them: what `ShardLoop`s and mailboxes do, on one thread. Mail
/// to a shard can be kept back, as if its loop were busy.
package final class LinkedShards {
    package let shards: [ShardHarness]
    package let census = Census()
    /// Mail for these shards stays where it is.
    package var busy: Set<Int> = []
    private var mail: [(from: Int, to: Int, batch: PeerBatch)] = []

    package init(_ count: Int, homeKey: UInt64 = 7, settings: ShardSettings = ShardSettings()) {
        let census = census
        shards = (0..<count).map {
            ShardHarness(
                index: $0, count: count, homeKey: homeKey, census: census, settings: settings, seed: UInt64($0 + 1))
        }
        for (from, shard) in shards.enumerated() {
            shard.tell = { [unowned self] to, batch in mail.append((from, to, batch)) }
        }
    }

    package subscript(_ index: Int) -> ShardHarness { shards[index] }

    /// Everything happens that can.
    package func run() {
        for _ in 0..<100_000 {
            for shard in shards { shard.run() }
            guard let next = mail.firstIndex(where: { !busy.contains($0.to) }) else { return }
            let (from, to, batch) = mail.remove(at: next)
            shards[to].hear(batch, from: from)
        }
        preconditionFailure("the shards do not come to rest")
    }

    package func advance(by milliseconds: Int64) {
        run()
        for shard in shards { shard.advance(by: milliseconds) }
        run()
    }

    /// Bytes of messages in the mail for a shard.
    package func mailBytes(to shard: Int) -> Int {
        mail.reduce(0) { $0 + ($1.to == shard ? $1.batch.bytes.count : 0) }
    }

    /// Messages that were dropped and counted, by all of them.
    package var dropped: Int { shards.reduce(0) { $0 + Int($1.shard.counters.publishesDropped) } }
}
