/// Where a broker's configuration comes from, so that it can be read again: the file, and what the command line said.
package struct ConfigurationSource: Sendable, Equatable {
    /// `nil`: there is none, and the embedded defaults hold.
    package let file: String?
    package let overrides: CommandLineOverrides

    package init(file: String?, overrides: CommandLineOverrides) {
        self.file = file
        self.overrides = overrides
    }

    /// Reads it as it is now. Throws every mistake found; `warnings` as `BrokerConfiguration.load` has them.
    package func load() throws(ConfigurationError) -> (configuration: BrokerConfiguration, warnings: [Diagnostic]) {
        var configuration = BrokerConfiguration.embeddedDefaults
        var warnings: [Diagnostic] = []
        if let file { (configuration, warnings) = try BrokerConfiguration.load(file: file) }
        warnings += configuration.apply(overrides)
        return (configuration, warnings)
    }
}
