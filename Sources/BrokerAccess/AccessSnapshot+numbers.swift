extension AccessSnapshot {
    /// The same, under the numbers its listeners have in a broker that runs. Numbers it does not speak of keep what `old` says,
    /// and let nobody in by password where that says nothing.
    /// - Parameters:
    ///   - numbers: of its listeners, in their order.
    ///   - count: one more than the highest number.
    package func numbered(_ numbers: [Int], of count: Int, over old: AccessSnapshot) -> AccessSnapshot {
        precondition(numbers.count == passwords.count, "a number for every listener")
        var all = Array(old.passwords.prefix(count))
        while all.count < count { all.append(.closed) }
        for (number, own) in zip(numbers, passwords) { all[number] = own }
        return AccessSnapshot(passwords: all, policy: policy, remarks: remarks)
    }
}
