/// A `pkcs11:` URI, RFC 7512: which token, which object in it, and where the PIN is, in one line.
///
/// `pkcs11:token=device;object=Device%20Priv%20TLS%20Key?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-source=file:/run/pin`
public struct PKCS11URI: Sendable, Hashable {
    public private(set) var token = TokenReference()
    /// Nil where the URI names neither object nor id: the store's default is meant.
    public private(set) var object: ObjectReference?
    /// `type`: nil where the URI does not say.
    public private(set) var kind: ObjectKind?
    /// `module-path`.
    public private(set) var modulePath: String?
    /// `pin-source`: a file.
    public private(set) var pinFile: String?
    private var pinValue: String?

    /// - Throws: `invalidURI`. An attribute that is not known is refused, as §2.4 wants: it may say that another object is meant.
    public init(_ text: String) throws(KeyStoreError) {
        guard text.hasPrefix(Self.scheme) else { throw .invalidURI(reason: "it does not begin with \(Self.scheme)") }
        let halves = text.dropFirst(Self.scheme.count).split(
            separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        var label: String?
        var id: [UInt8]?
        var seen: Set<String> = []
        for attribute in halves[0].split(separator: ";") {
            let (name, value) = try Self.pair(attribute, &seen)
            switch name {
            case "token": token.label = try Self.text(value, name)
            case "serial": token.serialNumber = try Self.text(value, name)
            case "manufacturer": token.manufacturer = try Self.text(value, name)
            case "model": token.model = try Self.text(value, name)
            case "slot-id":
                guard let slot = UInt64(try Self.text(value, name)) else {
                    throw .invalidURI(reason: "slot-id is not a number")
                }
                token.slot = slot
            case "object": label = try Self.text(value, name)
            case "id": id = value
            case "type": kind = try Self.kind(Self.text(value, name))
            default: throw .invalidURI(reason: "the attribute '\(name)' is not supported")
            }
        }
        if label != nil || id != nil { object = ObjectReference(label: label, id: id) }
        guard halves.count == 2 else { return }
        for attribute in halves[1].split(separator: "&") {
            let (name, value) = try Self.pair(attribute, &seen)
            let text = try Self.text(value, name)
            switch name {
            case "module-path": modulePath = text
            case "pin-value": pinValue = text
            case "pin-source":
                guard !text.hasPrefix("|") else {
                    throw .invalidURI(reason: "pin-source names a program to run, which is not done; give a file")
                }
                pinFile = text.hasPrefix("file:") ? Self.path(ofFile: text) : text
            default: throw .invalidURI(reason: "the attribute '\(name)' is not supported")
            }
        }
        guard pinFile == nil || pinValue == nil else {
            throw .invalidURI(reason: "pin-source and pin-value exclude each other")  // §2.4
        }
    }

    /// Where the URI says that the PIN is.
    public var pin: PINSource? { pinFile.map { .file($0) } ?? pinValue.map { .value($0) } }

    public static let scheme = "pkcs11:"

    private static func path(ofFile uri: String) -> String {
        let rest = uri.dropFirst("file:".count)
        return String(rest.hasPrefix("//") ? rest.dropFirst(2) : rest)
    }

    private static func kind(_ text: String) throws(KeyStoreError) -> ObjectKind {
        switch text {
        case "private": return .privateKey
        case "public": return .publicKey
        case "cert": return .certificate
        default: throw .invalidURI(reason: "type is private, public or cert, not '\(text)'")
        }
    }

    private static func pair(
        _ attribute: Substring, _ seen: inout Set<String>
    ) throws(KeyStoreError) -> (name: String, value: [UInt8]) {
        guard let equals = attribute.firstIndex(of: "=") else {
            throw .invalidURI(reason: "an attribute has no '='")
        }
        let name = String(attribute[..<equals])
        guard seen.insert(name).inserted else { throw .invalidURI(reason: "'\(name)' stands there twice") }
        return (name, try decoded(attribute[attribute.index(after: equals)...], name))
    }

    private static func text(_ bytes: [UInt8], _ name: String) throws(KeyStoreError) -> String {
        guard let text = String(validating: bytes, as: UTF8.self), !bytes.contains(0) else {
            throw .invalidURI(reason: "the value of '\(name)' is no text")
        }
        return text
    }

    /// Takes `%41` apart. §2.3
    private static func decoded(_ text: Substring, _ name: String) throws(KeyStoreError) -> [UInt8] {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard rest.count >= 2, let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
            else { throw .invalidURI(reason: "'%' in '\(name)' is not followed by two hexadecimal digits") }
            bytes.append(value)
            rest = rest.dropFirst(2)
        }
        return bytes
    }
}

extension PKCS11URI: CustomStringConvertible, CustomReflectable {
    /// Without a PIN.
    public var description: String {
        Self.scheme + "\(token)" + (object.map { ", \($0)" } ?? "") + (modulePath.map { " in \($0)" } ?? "")
    }

    public var customMirror: Mirror { Mirror(self, children: []) }
}
