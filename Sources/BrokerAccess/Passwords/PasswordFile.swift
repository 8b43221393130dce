package import MQTTProtocol

/// User names and the hashes of their passwords: MOSQUITTO_COMPAT §5.
package struct PasswordFile: Sendable {
    package let path: String
    package private(set) var hashes: [MQTTString: PasswordHash] = [:]
    package private(set) var remarks: [AccessRemark]
    /// What a login of somebody who is not there is measured against: it shall take as long as another's.
    let decoy: PasswordHash

    /// Reads the file whole, or says what is wrong with it.
    package static func load(_ path: String) throws(AccessFileError) -> PasswordFile {
        try PasswordFile(SecretFile.read(path, isSecret: true))
    }

    init(_ source: SecretFile) throws(AccessFileError) {
        path = source.path
        remarks = source.remarks
        var hashes: [MQTTString: PasswordHash] = [:]
        var first: PasswordHash?
        try source.forEachLine { (number, line) throws(AccessFileError) in
            func fail(_ reason: String) -> AccessFileError {
                AccessFileError(file: source.path, line: number, reason: reason)
            }
            guard line.count <= SecretFile.lineBytesMax else { throw fail("the line is too long") }
            // A line without a colon says nothing, in mosquitto too.
            guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else { return }
            let name = SecretFile.trimmed(line[line.startIndex..<colon])
            guard !name.isEmpty else { throw fail("a password without a user name") }
            guard let user = MQTTString(Array(name)), !name.contains(where: { $0 < 0x20 || $0 == 0x7F }) else {
                throw fail("the user name is no UTF-8 text without control characters")
            }
            let text = String(decoding: PasswordFile.hash(in: line[(colon + 1)...]), as: UTF8.self)
            guard let hash = PasswordHash(text) else {
                throw fail(
                    PasswordHash.isDamaged(text)
                        ? "the hash of \(user) is damaged. `martlet passwd \(source.path) USER` sets a password anew."
                        : "the password of \(user) is not hashed as $6$, $7$ or $argon2id$. "
                            + "`martlet passwd -U \(source.path)` hashes plain ones.")
            }
            guard hashes.updateValue(hash, forKey: user) == nil else { throw fail("user \(user) stands here twice") }
            if first == nil { first = hash }
        }
        self.hashes = hashes
        decoy = first ?? PasswordHash.decoy
    }

    /// The hash in what follows a user name: no third field is read.
    static func hash(in rest: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        SecretFile.trimmed(rest[..<(rest.firstIndex(of: UInt8(ascii: ":")) ?? rest.endIndex)])
    }
}

extension PasswordHash {
    /// Stands for nobody in a file without users.
    fileprivate static let decoy = PasswordHash.make([], .pbkdf2(iterations: mosquittoIterations))
}
