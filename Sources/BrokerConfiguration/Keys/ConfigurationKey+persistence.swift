/// The rows about what outlives the process: mosquitto's keys and ours. Those of its SQLite plugin: `+plugins`.
extension ConfigurationKey {
    static let alwaysSaved = Standing.surpassed(
        "Martlet keeps every change as it happens; how strictly is for 'durability' to say")

    static let persistenceRows: [ConfigurationKey] = [
        .flag(
            "persistence", aliases: ["retained_persistence"], .persistence, default: "`false`",
            "Whether sessions, queues and retained messages are kept on disk, in `martlet.db`. Without it they are gone "
                + "when the broker stops.",
            into: .broker { $0.persistence.isOn = $1 }),
        .text(
            "persistence_location", .persistence, value: "FOLDER", default: "the current folder",
            "Where they are kept. The environment's `MOSQUITTO_PERSISTENCE_LOCATION` goes before.",
            into: .broker { $0.persistence.location = $1 }),
        .text(
            "persistence_file", .persistence, value: "NAME", default: "`mosquitto.db`",
            "mosquitto's own file in that folder. Where it is there and no `martlet.db`, it is imported once and left as "
                + "it is.",
            into: .broker { $0.persistence.file = $1 }),
        .integer(
            "autosave_interval", .persistence, .cInt, value: "seconds; 0 or less: only at the end", default: "1800",
            "How often mosquitto saves.", standing: alwaysSaved,
            into: .broker { $0.persistence.autosaveInterval = limit($1) }),
        .flag(
            "autosave_on_changes", .persistence, default: "`false`",
            "`autosave_interval` counts changes instead of seconds.", standing: alwaysSaved,
            into: .broker { $0.persistence.autosaveCountsChanges = $1 }),
        .statement(
            "durability", .persistence, value: "`sync`, `os` or `interval SECONDS`, 1–3600", default: "`sync`",
            "Ours. When a message counts as kept: `sync` when the disk has it, before it is acknowledged; `os` when the "
                + "operating system has it; `interval` syncs every so many seconds.",
            .durability),
    ]
}
