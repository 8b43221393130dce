/// Where the lines of one listener stand, so that what is found wrong later (a file that is not there, a cipher nobody has) can
/// still be told with its line. It is no setting: two listeners that differ in nothing else are equal.
package struct SettingPlaces: Sendable, Equatable {
    private var places: [String: Place] = [:]

    private struct Place: Sendable {
        let file: String
        let line: Int
    }

    package static func == (one: SettingPlaces, other: SettingPlaces) -> Bool { true }

    mutating func note(_ key: String, file: String, line: Int) { places[key] = Place(file: file, line: line) }

    /// Takes over the places of settings that hold for all listeners; a listener's own line goes first.
    mutating func inherit(_ common: SettingPlaces) { places.merge(common.places) { own, _ in own } }

    /// A remark at the key's line, else at that of `listener`, else about the configuration as a whole.
    package func diagnostic(_ severity: Diagnostic.Severity, key: String, _ message: String) -> Diagnostic {
        let place = places[key] ?? places["listener"]
        return Diagnostic(
            severity: severity, file: place?.file ?? "configuration", line: place?.line, message: message)
    }
}
