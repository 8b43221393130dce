#if canImport(Darwin)
import Darwin
#elseif canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Secrets that do not stand in the command line, where `ps` shows them to everybody. One rule for every tool: any bytes, at least
/// one of them, since an empty file or variable is nearly always somebody's mistake. Who means an empty password says `-P ''`.
package enum SecretSource {
    /// Why there is none.
    package struct Fault: Error, Hashable, CustomStringConvertible {
        package let description: String
    }

    /// The longest that CONNECT can carry, in bytes.
    private static let bytesMax = 65_535

    /// The first line of a file, without its end.
    package static func read(file: String) throws(Fault) -> [UInt8] {
        guard let stream = fopen(file, "re") else { throw unreadable(file) }
        defer { fclose(stream) }
        var secret: [UInt8] = []
        // One byte more than is allowed, and the first half of a line's end.
        while secret.count <= bytesMax + 1, case let byte = getc(stream), byte != EOF, byte != 0x0A {
            secret.append(UInt8(truncatingIfNeeded: byte))
        }
        if ferror(stream) != 0 { throw unreadable(file) }
        if secret.last == 0x0D { secret.removeLast() }
        guard !secret.isEmpty else { throw Fault(description: "the first line of \(file) is empty") }
        guard secret.count <= bytesMax else {
            throw Fault(description: "the first line of \(file) is longer than \(bytesMax) bytes")
        }
        return secret
    }

    /// A variable of the environment.
    package static func read(variable: String) throws(Fault) -> [UInt8] {
        guard let value = getenv(variable) else {
            throw Fault(description: "there is no environment variable \(variable)")
        }
        guard value.pointee != 0 else { throw Fault(description: "the environment variable \(variable) is empty") }
        return Array(UnsafeBufferPointer(start: value, count: strlen(value)).map { UInt8(bitPattern: $0) })
    }

    /// What protects a key or a bundle, as their formats have it: text.
    package static func text(_ secret: [UInt8]) throws(Fault) -> String {
        guard let text = String(validating: secret, as: UTF8.self) else {
            throw Fault(description: "a key's password has to be UTF-8, and this one is not")
        }
        return text
    }

    private static func unreadable(_ file: String) -> Fault {
        Fault(description: "\(file): \(String(cString: strerror(errno)))")
    }
}

/// The same for an option of pub, sub and rr.
extension SecretSource {
    static func read(file: String, for option: String) throws(ArgumentFault) -> [UInt8] {
        do { return try read(file: file) } catch { throw fault(error, option) }
    }

    static func read(variable: String, for option: String) throws(ArgumentFault) -> [UInt8] {
        do { return try read(variable: variable) } catch { throw fault(error, option) }
    }

    static func text(_ secret: [UInt8], for option: String) throws(ArgumentFault) -> String {
        do { return try text(secret) } catch { throw fault(error, option) }
    }

    private static func fault(_ fault: Fault, _ option: String) -> ArgumentFault {
        ArgumentFault("Error: \(option): \(fault).", namesHelp: false)
    }
}
