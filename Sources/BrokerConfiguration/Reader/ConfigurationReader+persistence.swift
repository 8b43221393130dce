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

    /// mosquitto's SQLite plugin is this engine by another name; what other plugins do would be missing in silence.
    mutating func readPlugin(_ line: ConfigurationLine) throws(LineFault) {
        let path = try line.text()
        let name = path.split(separator: "/").last.map(String.init) ?? path
        guard name.contains("persist_sqlite") || name.contains("persist-sqlite") else {
            hasPersistencePlugin = false
            throw LineFault(
                "\(path): is known to mosquitto, not yet honoured by martlet; remove the line, or stay with mosquitto for it"
            )
        }
        hasPersistencePlugin = true
        configuration.persistence.isOn = true
        report(
            .note,
            "mosquitto's SQLite plugin is not loaded: Martlet's own store does its work, as 'persistence true' does")
    }

    mutating func readPersistencePluginOption(_ name: String, _ line: inout ConfigurationLine) throws(LineFault) {
        guard hasPersistencePlugin else {
            throw LineFault(
                "needs a line above it that names mosquitto's SQLite plugin; write 'persistence true' instead")
        }
        switch name {
        case "plugin_opt_db_file":
            let path = try line.text()
            guard let slash = path.lastIndex(of: "/") else { return configuration.persistence.location = "." }
            configuration.persistence.location = slash == path.startIndex ? "/" : String(path[..<slash])
        case "plugin_opt_flush_period", "plugin_opt_page_size":
            _ = try line.integer(in: 0...Int(Int32.max))
            noteRest(of: line)
        default:
            let levels = ["off", "normal", "full", "extra"]
            guard let word = line.word(), levels.contains(String(decoding: word, as: UTF8.self)) else {
                throw LineFault("must be one of \(levels.joined(separator: ", "))")
            }
            noteRest(of: line)
        }
    }
}
