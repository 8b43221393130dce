/// One remark about a configuration: what happened, where, and what to do.
package struct Diagnostic: Sendable, Equatable, CustomStringConvertible {
    package enum Severity: String, Sendable {
        /// The broker does what the file says; the operator may want to know something about it.
        case note
        /// The broker runs, but does not do all of what the file says.
        case warning
        /// The broker does not start.
        case error
    }

    package let severity: Severity
    /// The file as the operator named it, or `command line`.
    package let file: String
    /// From 1; `nil` where the remark is about the whole file.
    package let line: Int?
    package let message: String

    package init(severity: Severity, file: String, line: Int?, message: String) {
        self.severity = severity
        self.file = file
        self.line = line
        self.message = message
    }

    /// `FILE:LINE: message`, as compilers print it, so that editors can jump there.
    package var description: String {
        guard let line else { return "\(file): \(message)" }
        return "\(file):\(line): \(message)"
    }
}

/// Why a configuration cannot be used: every mistake found, not only the first. The caller's exit status for it is 3, mosquitto's.
package struct ConfigurationError: Error, Equatable, CustomStringConvertible {
    /// At least one, at most `Limit.problemsMax`, in the order of reading.
    package let problems: [Diagnostic]
    /// What was remarked besides.
    package let remarks: [Diagnostic]

    init(_ problems: [Diagnostic], remarks: [Diagnostic] = []) {
        precondition(!problems.isEmpty, "an error must say what is wrong")
        self.problems = problems
        self.remarks = remarks
    }

    package var description: String {
        problems.map(\.description).joined(separator: "\n")
    }
}

/// What one line did wrong; the reader adds the place.
struct LineFault: Error {
    let message: String
    init(_ message: String) { self.message = message }
}

/// Bounds of what is read, so that no file, however broken, costs more than a moment.
enum Limit {
    /// Bytes of one file.
    static let fileBytesMax = 1_048_576
    /// Bytes of one line: the longest legal string (65535) and room for its key.
    static let lineBytesMax = 70_000
    /// Bytes of a string value, as in mosquitto.
    static let textBytesMax = 65_535
    static let listenersMax = 100
    /// Bytes of a Unix socket's path: what `sockaddr_un` holds, less the NUL.
    static let unixPathBytesMax = 107
    static let pluginsMax = 100
    static let bridgesMax = 100
    static let bridgeAddressesMax = 100
    static let bridgeTopicsMax = 1000
    /// Files of all `include_dir` lines together.
    static let includedFilesMax = 1000
    /// Mistakes told at once.
    static let problemsMax = 20
    /// Notes and warnings told at once.
    static let remarksMax = 200
    /// Ports of `-p`, as in mosquitto.
    static let commandLinePortsMax = 10
}
