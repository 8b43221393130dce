#if canImport(Darwin)
import Darwin
#elseif canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Secrets that do not stand in the command line, where `ps` shows them to everybody.
enum SecretSource {
    /// The longest that CONNECT can carry, in bytes.
    private static let bytesMax = 65_535

    /// The first line of a file, without its end.
    static func read(file: String, for option: String) throws(ArgumentFault) -> [UInt8] {
        guard let stream = fopen(file, "re") else {
            throw ArgumentFault("Error: \(option): \(file): \(String(cString: strerror(errno)))", namesHelp: false)
        }
        defer { fclose(stream) }
        var secret: [UInt8] = []
        while secret.count <= bytesMax, case let byte = getc(stream), byte != EOF, byte != 0x0A {
            secret.append(UInt8(truncatingIfNeeded: byte))
        }
        if secret.last == 0x0D { secret.removeLast() }
        guard !secret.isEmpty, secret.count <= bytesMax else {
            throw ArgumentFault("Error: \(option): the first line of \(file) is no password.", namesHelp: false)
        }
        return secret
    }

    static func read(variable: String, for option: String) throws(ArgumentFault) -> [UInt8] {
        guard let value = getenv(variable) else {
            throw ArgumentFault("Error: \(option): there is no environment variable \(variable).", namesHelp: false)
        }
        return Array(UnsafeBufferPointer(start: value, count: strlen(value)).map { UInt8(bitPattern: $0) })
    }
}
