/// Keys that are read, checked and kept in the configuration, and that the server does not act on yet. They stop the start: to
/// leave out a password file or a certificate in silence would be worse than not to run.
///
/// **Whoever makes the server act on a key takes its line out of `names`; that is all.** Its row in the table
/// (`ConfigurationKey+…`), its value's way into the configuration and its tests are there already.
package enum FutureKey {
    /// Names by what they are about.
    package static let names: [(subject: String, keys: [String])] = [
        (
            "who may do what",
            [
                "enable_control_api"
            ]
        )
    ]

    private static let all = Set(names.flatMap(\.keys))

    static func contains(_ name: String) -> Bool { all.contains(name) }
}
