extension BrokerConfiguration {
    /// Reads a `mosquitto.conf` and the folders it includes.
    ///
    /// Throws every mistake found, up to 20, each with file and line; `warnings` holds what the broker does not do although
    /// the file says so (`.warning`) and what may surprise its writer (`.note`).
    package static func load(
        file: String, unhonoured: Unhonoured = .refused
    ) throws(ConfigurationError) -> (configuration: BrokerConfiguration, warnings: [Diagnostic]) {
        var reader = ConfigurationReader(file: file, readsDisk: true, unhonoured: unhonoured)
        do {
            reader.read(try ConfigurationFile.read(file))
        } catch {
            reader.report(.error, error.message, file: file, line: nil)
        }
        return try reader.finish()
    }

    /// The same for text in memory; touches no disk: an `include_dir` line is checked, noted and not followed.
    ///
    /// Any bytes are allowed and end in a value or an error. Work and memory are bounded by `text`, of which at most 1 MiB is
    /// looked at.
    package static func parse(
        text: some Collection<UInt8>, file: String, unhonoured: Unhonoured = .refused
    ) throws(ConfigurationError) -> (configuration: BrokerConfiguration, warnings: [Diagnostic]) {
        var reader = ConfigurationReader(file: file, readsDisk: false, unhonoured: unhonoured)
        reader.read(Array(text.prefix(Limit.fileBytesMax + 1)))
        return try reader.finish()
    }
}

/// What becomes of lines the server does not act on yet: bridges.
package enum Unhonoured: Sendable {
    /// An error: the broker must not run as if they were not there.
    case refused
    /// A warning, for who only looks at a configuration.
    case told
}
