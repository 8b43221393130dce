/// What is wrong with a password or ACL file, and where: nothing of such a file is used.
package struct AccessFileError: Error, Equatable, CustomStringConvertible {
    package let file: String
    /// From 1; nil where it is about the whole file.
    package let line: Int?
    package let reason: String

    package var description: String {
        line.map { "\(file):\($0): \(reason)" } ?? "\(file): \(reason)"
    }
}

/// What the operator should know of a file that is used all the same.
package struct AccessRemark: Equatable, Sendable, CustomStringConvertible {
    package let file: String
    package let line: Int?
    package let text: String

    package var description: String {
        line.map { "\(file):\($0): \(text)" } ?? "\(file): \(text)"
    }
}
