import MQTTTransport

#if canImport(Darwin)
import Darwin
#elseif canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Where a token's PIN comes from. It is read when the token asks, every time, and is never part of a description.
public struct PINSource: Sendable {
    enum Origin: Sendable {
        case value([UInt8])
        case file(String)
        case environment(String)
        case question(@Sendable (_ token: String) throws -> [UInt8]?)
    }

    let origin: Origin

    /// The PIN itself.
    public static func value(_ pin: String) -> PINSource { PINSource(origin: .value(Array(pin.utf8))) }
    /// The first line of a file.
    public static func file(_ path: String) -> PINSource { PINSource(origin: .file(path)) }
    /// An environment variable.
    public static func environment(_ name: String) -> PINSource { PINSource(origin: .environment(name)) }
    /// Somebody who is asked once, with the token's label; nil where nobody answers. Called on the token's thread.
    public static func question(_ ask: @escaping @Sendable (_ token: String) throws -> [UInt8]?) -> PINSource {
        PINSource(origin: .question(ask))
    }

    private static let bytesMax = 256

    /// - Throws: `pinUnavailable`.
    func read(token: String) throws(KeyStoreError) -> [UInt8] {
        let pin: [UInt8]
        switch origin {
        case .value(let value): pin = value
        case .file(let path): pin = try firstLine(of: path)
        case .environment(let name):
            guard let value = getenv(name) else { throw unavailable("it is not set") }
            pin = Array(String(cString: value).utf8)
        case .question(let ask):
            do {
                pin = try ask(token) ?? []
            } catch {
                throw unavailable("\(error)")
            }
        }
        guard !pin.isEmpty else { throw unavailable("it is empty") }
        guard pin.count <= Self.bytesMax else { throw unavailable("it is longer than \(Self.bytesMax) bytes") }
        return pin
    }

    private func unavailable(_ reason: String) -> KeyStoreError {
        .pinUnavailable(source: description, reason: reason)
    }

    private func firstLine(of path: String) throws(KeyStoreError) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw unavailable(String(cString: strerror(errno))) }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: Self.bytesMax + 2)
        let count = systemRead(descriptor, &bytes, bytes.count)
        guard count >= 0 else { throw unavailable(String(cString: strerror(errno))) }
        return Array(bytes[..<count].prefix { $0 != 0x0A && $0 != 0x0D })
    }
}

extension PINSource: CustomStringConvertible, CustomReflectable {
    /// Where from, never what.
    public var description: String {
        switch origin {
        case .value: "the program"
        case .file(let path): "the file \(path)"
        case .environment(let name): "the environment variable \(name)"
        case .question: "the terminal"
        }
    }

    public var customMirror: Mirror { Mirror(self, children: []) }
}
