/// A setting that cannot be used: which key of the configuration, what it names, what is wrong, what helps. The caller knows
/// the line.
package struct SettingFault: Error, Equatable, CustomStringConvertible {
    /// The key of `mosquitto.conf`.
    package let key: String
    /// The file or word behind it.
    package let value: String
    package let reason: String

    package init(key: String, value: String, reason: String) {
        self.key = key
        self.value = value
        self.reason = reason
    }

    package var description: String { "\(key) \(value): \(reason)" }
}
