/// The lines about storage that have a form of their own.
extension ConfigurationReader {
    mutating func readDurability(_ line: inout ConfigurationLine) throws(LineFault) {
        let expected = "must be sync, os or interval SECONDS"
        guard let word = line.word() else { throw LineFault(expected) }
        switch String(decoding: word, as: UTF8.self) {
        case "sync": configuration.persistence.durability = .sync
        case "os": configuration.persistence.durability = .os
        case "interval":
            configuration.persistence.durability = .interval(seconds: try line.integer(in: 1...3600))
        default: throw LineFault("\(expected), not \(quoted(word))")
        }
        noteRest(of: line)
    }
}
