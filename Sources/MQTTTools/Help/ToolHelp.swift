/// What `--help` and `--version` print: mosquitto's text, for whoever compares the two, and our own options behind it.
struct ToolHelp {
    let tool: Tool
    /// What the program calls itself.
    let name: String
    let version: String

    var banner: String { "\(name) of martlet \(version), which follows mosquitto 2.0.11." }

    var page: String {
        let text =
            switch tool {
            case .pub: Self.pub
            case .sub: Self.sub
            case .rr: Self.rr
            }
        let page = text.replacing("%BANNER%", with: banner).replacing("%NAME%", with: name)
        return page + "\n\nWhat mosquitto's does not have:\n\n" + ours + "\n"
    }

    private var ours: String {
        let options = OptionTable.all.filter { $0.ours != nil && $0.tools.contains(Tools(tool)) }
        return options.map { option in
            let word = option.wants.map { " \($0)" } ?? ""
            return " \(option.names.joined(separator: ", "))\(word) : \(option.ours ?? "")"
        }.joined(separator: "\n")
    }
}
