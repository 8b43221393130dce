/// The key tables of the operators' guide, made from the rows themselves so that the two cannot drift apart.
package enum ConfigurationReference {
    /// Markdown: one table per group, then what is not honoured yet. `Docs/guides/configuration.md` holds exactly this.
    package static var markdown: String {
        var text = ""
        for group in ConfigurationKey.Group.allCases {
            text += "### \(group.rawValue)\n\n| key | value | default | meaning |\n|---|---|---|---|\n"
            for key in ConfigurationKey.all where key.group == group { text += row(key) }
            text += "\n"
        }
        text += "### Not honoured yet\n\n"
        text +=
            "Bridges: `connection` and the keys below it are read and checked, and then stop the start with an error that says "
            + "so, rather than being left out in silence.\n"
        return text
    }

    private static func row(_ key: ConfigurationKey) -> String {
        let names = ([key.name] + key.aliases).map { "`\($0)`" }.joined(separator: ", ")
        let meaning =
            switch key.standing {
            case .honoured: key.meaning
            case .deprecated(let instead): "\(key.meaning) *Deprecated: \(instead).*"
            case .surpassed(let reason): "\(key.meaning) *\(reason).*"
            case .ignored(let reason): "\(key.meaning) **No effect:** \(reason)."
            }
        return "| \(names) | \(key.value) | \(key.defaultValue) | \(meaning) |\n"
    }
}
