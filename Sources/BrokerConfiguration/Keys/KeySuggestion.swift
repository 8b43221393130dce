/// The known key an unknown word was probably meant to be.
enum KeySuggestion {
    /// Longest word worth comparing, bytes; bounds the work, real keys have at most 36.
    private static let nameBytesMax = 64

    /// The nearest known key, if few enough letters differ; the alphabet decides between equals.
    static func nearest(to word: String) -> String? {
        guard word.utf8.count <= nameBytesMax else { return nil }
        let wanted = Array(word.lowercased().utf8)
        let farthest = max(1, wanted.count / 4)
        var best: (distance: Int, name: String)?
        for name in ConfigurationKey.names.sorted() {
            let candidate = Array(name.utf8)
            guard abs(candidate.count - wanted.count) <= farthest else { continue }
            let distance = distance(wanted, candidate)
            if distance <= farthest, distance < (best?.distance ?? .max) { best = (distance, name) }
        }
        return best?.name
    }

    /// Letters to insert, delete, replace or swap with their neighbour to get from `a` to `b`.
    static func distance(_ a: [UInt8], _ b: [UInt8]) -> Int {
        guard !a.isEmpty else { return b.count }
        guard !b.isEmpty else { return a.count }
        var beforeLast = [Int](repeating: 0, count: b.count + 1)
        var last = Array(0...b.count)
        for i in 1...a.count {
            var row = [i] + [Int](repeating: 0, count: b.count)
            for j in 1...b.count {
                let replaced = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)
                row[j] = min(last[j] + 1, row[j - 1] + 1, replaced)
                if i > 1, j > 1, a[i - 1] == b[j - 2], a[i - 2] == b[j - 1] {
                    row[j] = min(row[j], beforeLast[j - 2] + 1)
                }
            }
            beforeLast = last
            last = row
        }
        return last[b.count]
    }
}
