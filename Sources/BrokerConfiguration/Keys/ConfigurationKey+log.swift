/// The rows about the log. What the words mean: `LogConfiguration`.
extension ConfigurationKey {
    static let logRows: [ConfigurationKey] = [
        .statement(
            "log_dest", .log,
            value: "`stderr`, `stdout` (optionally `unbuffered`), `syslog`, `topic`, `file PATH` or `none`",
            default: "`stderr`",
            "Where log lines go. Repeatable; one file. `none` forgets those before it. `topic` is `$SYS/broker/log/…`.",
            .logDestination),
        .statement(
            "log_type", .log,
            value:
                "`error`, `warning`, `notice`, `information`, `debug`, `subscribe`, `unsubscribe`, `internal`, "
                + "`websockets`, `all` or `none`",
            default: "`error`, `warning`, `notice` and `information`",
            "What is logged, one word a line. Repeatable; the first line replaces the default, `none` forgets "
                + "those before it.",
            .logType),
        .flag(
            "log_timestamp", .log, default: "`true`", "Whether a log line begins with the time.",
            into: .broker { $0.log.writesTimestamp = $1 }),
        .text(
            "log_timestamp_format", .log, value: "a `strftime` format, such as `%Y-%m-%dT%H:%M:%S`",
            default: "unix seconds",
            "How the time is written; local time.",
            into: .broker { $0.log.timestampFormat = $1 }),
        .choice(
            "log_format", .log, ["text", "json"], default: "`text`",
            "Ours. `json` makes every line an object with `time`, `type` and `message`.",
            into: .broker { $0.log.format = LogFormat(rawValue: $1) ?? .text }),
        .integer(
            "log_facility", .log, 0...7, value: "0–7 for `local0`–`local7`", default: "`daemon`",
            "Syslog facility.",
            into: .broker { $0.log.syslogLocalFacility = $1 }),
        .flag(
            "connection_messages", .log, default: "`true`",
            "Whether clients that come and go are logged.",
            into: .broker { $0.log.connectionMessages = $1 }),
    ]
}
