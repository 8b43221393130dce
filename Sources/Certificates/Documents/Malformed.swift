/// Bytes that are not what they should be: which part of which document, and why.
///
/// Nothing that came over the wire or out of a file may do worse than throw this.
package struct Malformed: Error, Equatable, Sendable, CustomStringConvertible {
    /// The part that could not be read, as a person would call it: "validity", "key usage".
    package let part: String
    package let reason: String

    package init(_ part: String, _ reason: String) {
        self.part = part
        self.reason = reason
    }

    package var description: String { "\(part): \(reason)" }
}
