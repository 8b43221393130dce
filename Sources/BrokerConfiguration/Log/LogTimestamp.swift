import Glibc

/// How a log line begins.
package enum LogTimestamp: Sendable, Equatable {
    /// `log_timestamp false`: with the message at once.
    case none
    case unixSeconds
    /// A `strftime` format, in local time.
    case format(String)

    /// Longest formatted time, bytes; a format that makes more is answered with unix seconds.
    private static let bytesMax = 512

    /// `TIME: `, or nothing for `.none`. Time comes as an argument, so a test can choose it.
    package func prefix(unixSeconds: Int) -> String {
        switch self {
        case .none: ""
        case .unixSeconds: "\(unixSeconds): "
        case .format(let format): Self.format(unixSeconds: unixSeconds, format: format) + ": "
        }
    }

    /// The time in local time by `strftime`'s rules; unix seconds where the format yields nothing or more than 512 bytes.
    package static func format(unixSeconds: Int, format: String) -> String {
        var seconds = time_t(unixSeconds)
        var parts = tm()
        guard localtime_r(&seconds, &parts) != nil else { return String(unixSeconds) }
        let bytes = [UInt8](unsafeUninitializedCapacity: bytesMax) { buffer, count in
            count = buffer.withMemoryRebound(to: CChar.self) { characters in
                strftime(characters.baseAddress!, characters.count, format, &parts)
            }
        }
        guard !bytes.isEmpty else { return String(unixSeconds) }
        return String(decoding: bytes, as: UTF8.self)
    }
}
