/// What one client may do on topics, as far as it has been asked: yes or no by the number of the topic's plan
/// (`RouteCache.Plan.number`). A number is never given to another topic nor used again after the policy was replaced, so
/// an answer cannot be wrong. Bounded: a newer one takes the place of an older.
struct PermissionCache: ~Copyable {
    /// A power of two. 1 KiB a client that publishes under a policy; nothing for others.
    private static let entries = 128

    private var answers: UnsafeMutablePointer<UInt64>?

    deinit { answers?.deallocate() }

    @inline(__always)
    func answer(_ number: UInt64) -> Bool? {
        guard let answers else { return nil }
        let found = answers[Int(truncatingIfNeeded: number) & (PermissionCache.entries &- 1)]
        return found >> 1 == number ? found & 1 == 1 : nil
    }

    mutating func keep(_ isAllowed: Bool, _ number: UInt64) {
        let answers = answers ?? .allocate(capacity: PermissionCache.entries)
        if self.answers == nil {
            answers.initialize(repeating: 0, count: PermissionCache.entries)
            self.answers = answers
        }
        answers[Int(truncatingIfNeeded: number) & (PermissionCache.entries &- 1)] = number << 1 | (isAllowed ? 1 : 0)
    }
}

/// The same for a member of a shared subscription.
final class MemberPermissions {
    var cache = PermissionCache()
}
