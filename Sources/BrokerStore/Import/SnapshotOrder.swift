/// In which order a snapshot's messages go into our log. There a queue is read by growing positions, and mosquitto's
/// numbers grow too; only a message that was old when a session got it (a retained one, at its SUBSCRIBE) or that a
/// session got twice stands in a queue behind younger ones. Such a claim gets a copy of its message, right behind the
/// youngest that stood before it in the queue. So every queue keeps its order, and nearly every message is stored once.
struct SnapshotOrder {
    struct Step: Comparable {
        /// The message after whose number this one is written.
        var key: UInt64
        /// A copy for this claim only.
        var isCopy: Bool
        /// `noSession`: because it is retained.
        var session: UInt32
        /// The claim's place in its session's list.
        var claim: UInt32

        static let noSession = UInt32.max

        static func < (a: Self, b: Self) -> Bool {
            if a.key != b.key { return a.key < b.key }
            if a.isCopy != b.isCopy { return !a.isCopy }
            return a.session != b.session ? a.session < b.session : a.claim < b.claim
        }
    }

    private(set) var steps: [Step] = []

    /// `isThere` says whether a message is in the file and still alive.
    init(_ index: SnapshotIndex, isThere: (UInt64) -> Bool) {
        for (number, session) in index.sessions.enumerated() {
            var youngest: UInt64?
            for (place, claim) in session.claims.enumerated() where isThere(claim.message) {
                let isCopy = youngest.map { claim.message <= $0 } ?? false
                youngest = max(youngest ?? 0, claim.message)
                steps.append(
                    Step(
                        key: youngest ?? claim.message, isCopy: isCopy, session: UInt32(number), claim: UInt32(place)))
            }
        }
        for message in index.retained where isThere(message) {
            steps.append(Step(key: message, isCopy: false, session: Step.noSession, claim: 0))
        }
        steps.sort()
    }
}
