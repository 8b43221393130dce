/// One row of the table of everything that may begin a line: the single place from which the reader, its error messages and
/// the operators' guide know a key. A new key is a new row.
///
/// Rows: `ConfigurationKey+listeners`, `+tls`, `+access`, `+limits`, `+log`, `+persistence`, `+plugins`, `+bridges`, `+process`.
package struct ConfigurationKey: Sendable, CustomStringConvertible {
    package let name: String
    package let aliases: [String]
    package let group: Group
    /// What follows the key, for people: form, unit, range.
    package let value: String
    /// The default, for people.
    package let defaultValue: String
    /// What it decides, in one line.
    package let meaning: String
    package let standing: Standing
    package let scope: Scope
    let kind: Kind

    package var description: String { name }

    /// A heading of the guide.
    package enum Group: String, Sendable, CaseIterable {
        case listeners = "Where clients come in"
        case tls = "TLS"
        case access = "Who may do what"
        case limits = "Limits"
        case messages = "Messages"
        case log = "The log"
        case persistence = "What outlives the process"
        case plugins = "Plugins"
        case bridges = "Bridges: other brokers"
        case process = "The process"
        case martlet = "Martlet's own keys"
    }

    /// How far the broker does what the key says.
    package enum Standing: Sendable, Equatable {
        case honoured
        /// Honoured; says what to write instead.
        case deprecated(String)
        /// Read and checked; what Martlet does in any case is more than that.
        case surpassed(String)
        /// Read and checked, then without effect; says why.
        case ignored(String)
    }

    /// Which thing a line with this key speaks about.
    package enum Scope: Sendable, Equatable {
        case broker
        /// The whole broker, or the current listener under `per_listener_settings true`.
        case security
        /// The listener above; without one, the default listener on port 1883, as mosquitto does.
        case listener
        /// The listener above, which must be there.
        case listenerRequired
        /// The bridge above, which must be there.
        case bridge
    }

    /// What the rest of the line must be, and where it goes.
    enum Kind: Sendable {
        case flag(Destination<Bool>)
        case integer(ClosedRange<Int>, Destination<Int>)
        case text(bytesMax: Int, mayRepeat: Bool, Destination<String>)
        /// One of a few words; `off` is the one that switches nothing on.
        case choice([String], off: String?, Destination<String>)
        case statement(Statement)
    }

    /// The field a value is for.
    enum Destination<Value>: Sendable {
        case broker(@Sendable (inout BrokerConfiguration, Value) -> Void)
        case security(@Sendable (inout SecurityDraft, Value) -> Void)
        case listener(@Sendable (inout ListenerDraft, Value) -> Void)
        case bridge(@Sendable (inout BridgeDraft, Value) -> Void)
    }

    /// A key whose rest has a form of its own.
    enum Statement: Sendable {
        case listener, port, bindAddress, includeFolder, perListenerSettings
        case mountPoint, acceptedVersions, tlsVersion, tlsKeyForm
        case logDestination, logType, sessionExpiry, durability, anything
        case plugin(String)
        case pluginLoad, pluginUse, denySpecialCharacters
        /// With what stands behind `plugin_opt_`.
        case pluginOption(String)
        case connection, bridgeAddress, bridgeTopic, bridgeRestart, bridgeTCPKeepAlive, bridgeNotificationTopic,
            bridgePSK
    }
}

extension ConfigurationKey {
    /// All rows, in the order of the guide.
    package static let all =
        listenerRows + tlsRows + accessRows + limitRows + messageRows + logRows + persistenceRows + pluginRows
        + bridgeRows
        + processRows + martletRows

    /// Rows by name and alias.
    private static let byName: [String: ConfigurationKey] = {
        var rows: [String: ConfigurationKey] = [:]
        for row in all {
            for name in [row.name] + row.aliases {
                let previous = rows.updateValue(row, forKey: name)
                precondition(previous == nil, "two rows are called \(name)")
            }
        }
        return rows
    }()

    /// The row a first word means.
    static func named(_ name: String) -> ConfigurationKey? { byName[name] }

    /// What stands behind `plugin_opt_`, or the older `auth_opt_`.
    static func optionName(_ name: String) -> String? {
        for prefix in ["plugin_opt_", "auth_opt_"] where name.hasPrefix(prefix) && name.utf8.count > prefix.utf8.count {
            return String(name.dropFirst(prefix.count))
        }
        return nil
    }

    /// The row of an option of one of mosquitto's own plugins, by either prefix.
    static func pluginOption(_ name: String) -> ConfigurationKey? {
        optionName(name).flatMap { byName["plugin_opt_\($0)"] }
    }

    /// Every word that may begin a line.
    static var names: [String] { Array(byName.keys) }

    static func flag(
        _ name: String, aliases: [String] = [], _ group: Group, scope: Scope = .broker, default defaultValue: String,
        _ meaning: String, standing: Standing = .honoured, into destination: Destination<Bool>
    ) -> ConfigurationKey {
        ConfigurationKey(
            name: name, aliases: aliases, group: group, value: "`true` or `false`", defaultValue: defaultValue,
            meaning: meaning, standing: standing, scope: scope, kind: .flag(destination))
    }

    static func integer(
        _ name: String, aliases: [String] = [], _ group: Group, scope: Scope = .broker, _ range: ClosedRange<Int>,
        value: String, default defaultValue: String, _ meaning: String, standing: Standing = .honoured,
        into destination: Destination<Int>
    ) -> ConfigurationKey {
        ConfigurationKey(
            name: name, aliases: aliases, group: group, value: value, defaultValue: defaultValue, meaning: meaning,
            standing: standing, scope: scope, kind: .integer(range, destination))
    }

    static func text(
        _ name: String, aliases: [String] = [], _ group: Group, scope: Scope = .broker,
        bytesMax: Int = Limit.textBytesMax,
        mayRepeat: Bool = false,
        value: String, default defaultValue: String, _ meaning: String, standing: Standing = .honoured,
        into destination: Destination<String>
    ) -> ConfigurationKey {
        ConfigurationKey(
            name: name, aliases: aliases, group: group, value: value, defaultValue: defaultValue, meaning: meaning,
            standing: standing, scope: scope, kind: .text(bytesMax: bytesMax, mayRepeat: mayRepeat, destination))
    }

    static func choice(
        _ name: String, _ group: Group, scope: Scope = .broker, _ words: [String], off: String? = nil,
        default defaultValue: String, _ meaning: String, standing: Standing = .honoured,
        into destination: Destination<String>
    ) -> ConfigurationKey {
        ConfigurationKey(
            name: name, aliases: [], group: group, value: words.map { "`\($0)`" }.joined(separator: ", "),
            defaultValue: defaultValue, meaning: meaning, standing: standing, scope: scope,
            kind: .choice(words, off: off, destination))
    }

    static func statement(
        _ name: String, aliases: [String] = [], _ group: Group, scope: Scope = .broker, value: String,
        default defaultValue: String,
        _ meaning: String, standing: Standing = .honoured, _ statement: Statement
    ) -> ConfigurationKey {
        ConfigurationKey(
            name: name, aliases: aliases, group: group, value: value, defaultValue: defaultValue, meaning: meaning,
            standing: standing, scope: scope, kind: .statement(statement))
    }
}

extension ClosedRange<Int> {
    /// C's `int`.
    static var cInt: ClosedRange<Int> { Int(Int32.min)...Int(Int32.max) }
}

/// mosquitto's way to say "no limit": zero or less.
func limit(_ value: Int) -> Int? { value > 0 ? value : nil }
