/// Everything that can be said about a configuration without running it: what was read, what becomes of each line, what is
/// wrong. For who only looks, such as `martlet config check`; the broker itself uses `BrokerConfiguration.load(file:)`.
package struct ConfigurationReport: Sendable {
    /// A line that was read.
    package struct Setting: Sendable, Equatable {
        package let file: String
        /// From 1.
        package let line: Int
        /// As the operator wrote it, maybe an alias.
        package let key: String
        /// What stands behind it; passwords and keys as `***`.
        package let value: String
        package let verdict: Verdict
    }

    /// What becomes of it.
    package enum Verdict: Sendable, Equatable {
        case honoured
        /// Honoured; says what to write instead.
        case deprecated(String)
        /// Read and checked; what Martlet does in any case is more than that.
        case surpassed(String)
        /// Read and checked, then without effect; says why.
        case ignored(String)
        /// Read and checked; a start is refused until the server acts on it.
        case notYet

        /// One word for it.
        package var word: String {
            switch self {
            case .honoured: "honoured"
            case .deprecated: "deprecated"
            case .surpassed: "surpassed"
            case .ignored: "ignored"
            case .notYet: "refused"
            }
        }

        package var reason: String? {
            switch self {
            case .honoured: nil
            case .deprecated(let reason), .surpassed(let reason), .ignored(let reason): reason
            case .notYet: "read and checked, but not yet honoured by this version of martlet"
            }
        }
    }

    /// Where a listener or another thing begins.
    package struct Place: Sendable, Equatable {
        package let file: String
        package let line: Int?

        package init(file: String, line: Int?) {
            self.file = file
            self.line = line
        }
    }

    /// Every line that could be read, in the order of reading.
    package let settings: [Setting]
    /// What it comes to; `nil` where there are errors.
    package let configuration: BrokerConfiguration?
    /// Where each listener of `configuration` begins.
    package let listenerPlaces: [Place]
    /// Errors, warnings and notes, in the order they were found.
    package private(set) var remarks: [Diagnostic]

    package var errors: [Diagnostic] { remarks.filter { $0.severity == .error } }
    /// Whether a broker would start with it.
    package var canStart: Bool {
        errors.isEmpty && configuration != nil && !settings.contains { $0.verdict == .notYet }
    }

    /// The same, with what others found who looked at what the configuration names.
    package func adding(_ found: [Diagnostic]) -> ConfigurationReport {
        var report = self
        report.remarks += found
        return report
    }

    /// Reads a file as `BrokerConfiguration.load(file:)` does, and never throws.
    package init(file: String) {
        var reader = ConfigurationReader(file: file, readsDisk: true, unhonoured: .told)
        do {
            reader.read(try ConfigurationFile.read(file))
        } catch {
            reader.report(.error, error.message, file: file, line: nil)
        }
        self.init(reader)
    }

    /// The same for text in memory.
    package init(text: some Collection<UInt8>, file: String) {
        var reader = ConfigurationReader(file: file, readsDisk: false, unhonoured: .told)
        reader.read(Array(text.prefix(Limit.fileBytesMax + 1)))
        self.init(reader)
    }

    private init(_ reader: ConfigurationReader) {
        settings = reader.settings
        let main = Place(file: reader.file, line: nil)
        let places = reader.listeners.map { $0.place.map { Place(file: $0.file, line: $0.line) } ?? main }
        do {
            let (configuration, warnings) = try reader.finish()
            self.configuration = configuration
            remarks = warnings
            listenerPlaces = configuration.isLocalOnly ? [main, main] : places
        } catch {
            configuration = nil
            listenerPlaces = []
            remarks = error.problems + error.remarks
        }
    }
}

extension ConfigurationKey {
    /// What becomes of a line with this key.
    func verdict(isOff: Bool) -> ConfigurationReport.Verdict {
        guard group != .bridges else { return .notYet }
        guard !isOff else { return .honoured }
        switch standing {
        case .honoured: return .honoured
        case .deprecated(let instead): return .deprecated(instead)
        case .surpassed(let reason): return .surpassed(reason)
        case .ignored(let reason): return .ignored(reason)
        }
    }

    /// Its value is nobody's business: not the report's, and not the log's.
    var isSecret: Bool { ["remote_password", "local_password", "bridge_psk"].contains(name) }

    /// The value as others may see it.
    func shown(_ value: ArraySlice<UInt8>) -> String {
        guard !isSecret || value.isEmpty else { return "***" }
        return String(decoding: ConfigurationLine.trimmed(value), as: UTF8.self)
    }
}
