/// The rows about mosquitto's plugins. Whatever they are told is done by Martlet itself: `ConfigurationReader+plugins`.
extension ConfigurationKey {
    static let pluginRows: [ConfigurationKey] = [
        .statement(
            "plugin", aliases: ["auth_plugin"], .plugins, scope: .security, value: "PATH", default: "none",
            "Lines that name mosquitto's own `mosquitto_persist_sqlite.so`, `mosquitto_acl_file.so`, "
                + "`mosquitto_password_file.so` or `mosquitto_dynamic_security.so` mean what Martlet does itself; nothing is "
                + "loaded. Another plugin stops the start: nobody knows what it would have kept closed.",
            .plugin("plugin")),
        .statement(
            "global_plugin", .plugins, value: "PATH", default: "none",
            "The same for every listener, whatever `per_listener_settings` says.", .plugin("global_plugin")),
        .statement(
            "plugin_load", .plugins, value: "NAME PATH", default: "none",
            "The same for the listeners that say `plugin_use NAME`.", .pluginLoad),
        .statement(
            "plugin_use", .plugins, value: "NAME", default: "none", "The listener above uses that plugin.", .pluginUse),
        .statement(
            "auth_plugin_deny_special_chars", .plugins, value: "`true` or `false`", default: "`true`",
            "Below a plugin's line. User names and client identifiers with `+` or `#` are never put into a pattern; `false` "
                + "has no effect.",
            .denySpecialCharacters),
        .statement(
            "plugin_opt_acl_file", .plugins, value: "PATH", default: "none",
            "Below the line of the ACL file plugin: the same as `acl_file`.", .pluginOption("acl_file")),
        .statement(
            "plugin_opt_password_file", .plugins, value: "PATH", default: "none",
            "Below the line of the password file plugin: the same as `password_file`.", .pluginOption("password_file")),
        .statement(
            "plugin_opt_config_file", .plugins, value: "PATH", default: "none",
            "Below the line of the dynamic security plugin: its file of roles. It is not read yet; until it is, nobody gets "
                + "rights from it, and nobody has rights without it.",
            .pluginOption("config_file")),
        .statement(
            "plugin_opt_password_init_file", .plugins, value: "PATH", default: "none",
            "The same: where the first administrator's password stands.", .pluginOption("password_init_file")),
        .statement(
            "plugin_opt_db_file", .plugins, value: "PATH", default: "none",
            "Below the line of the SQLite plugin, which is the same as `persistence true`. `martlet.db` is kept in the folder of "
                + "PATH; the file itself stays as it is.",
            .pluginOption("db_file")),
        .statement(
            "plugin_opt_flush_period", .plugins, value: "seconds", default: "5",
            "Below that line. How often it saves.", standing: alwaysSaved, .pluginOption("flush_period")),
        .statement(
            "plugin_opt_sync", .plugins, value: "`off`, `normal`, `full` or `extra`", default: "`normal`",
            "Below that line.", standing: alwaysSaved, .pluginOption("sync")),
        .statement(
            "plugin_opt_page_size", .plugins, value: "bytes", default: "4096",
            "Below that line. Read, and left to the store.", .pluginOption("page_size")),
    ]
}
