package import BrokerAccess
package import BrokerConfiguration
import BrokerCore

/// Access as the configuration asks for it: read before anything listens, replaced as a whole while the broker runs.
extension Broker {
    /// Reads every file that decides about access, and changes nothing.
    package static func loadAccess(_ configuration: BrokerConfiguration) throws(AccessFileError) -> AccessSnapshot {
        try AccessSnapshot.load(configuration.listeners.map { ListenerAccess($0) })
    }
}

extension Broker {
    /// What is wrong, with file and line: those of the mistake, or where the file itself is at fault, those of the line that
    /// names it.
    package static func diagnostic(
        for error: AccessFileError, in configuration: BrokerConfiguration, _ severity: Diagnostic.Severity = .error
    ) -> Diagnostic {
        for listener in configuration.listeners {
            let security = listener.security
            for (key, file) in [("password_file", security.passwordFile), ("acl_file", security.aclFile)]
            where file == error.file && error.line == nil {
                return listener.places.diagnostic(severity, key: key, "\(key) \(error)")
            }
        }
        return Diagnostic(severity: severity, file: error.file, line: error.line, message: error.reason)
    }
}

extension ListenerAccess {
    init(_ listener: ListenerConfiguration) {
        self.init(
            name: listener.stableName, passwordFile: listener.security.passwordFile,
            aclFile: listener.security.aclFile, isClosed: listener.security.dynamicSecurity != nil)
    }
}

extension ListenerConfiguration {
    /// Stands for the listener in sessions that outlive the broker: its port, or of a Unix socket its path (FNV-1a).
    var stableName: UInt32 {
        switch address {
        case .tcp(_, let port): return UInt32(clamping: port)
        case .unix(let path):
            var hash: UInt32 = 2_166_136_261
            for byte in path.utf8 { hash = (hash ^ UInt32(byte)) &* 16_777_619 }
            return hash | 0x8000_0000
        }
    }
}
