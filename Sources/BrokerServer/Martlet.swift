/// What this program calls itself.
package enum Martlet {
    package static let version = "0.1.0"
}
