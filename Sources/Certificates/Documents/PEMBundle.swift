/// The blocks of a PEM file, in order, with whatever text stands between them left aside. RFC 7468
package struct PEMBundle: Sendable {
    package struct Block: Sendable {
        /// "CERTIFICATE", "PRIVATE KEY", "X509 CRL"…
        package let label: String
        /// `Proc-Type` and such, in the files of old; name and value.
        package let headers: [(name: String, value: String)]
        package let der: [UInt8]
        /// The line of its BEGIN, from 1.
        package let line: Int
    }

    package let blocks: [Block]

    /// A file that cannot be used, which part of it, and why.
    package struct Fault: Error, Equatable, Sendable, CustomStringConvertible {
        package let file: String
        /// From 1; `nil` when the fault is the whole file's.
        package let block: Int?
        package let line: Int?
        package let reason: String

        package init(file: String, block: Int? = nil, line: Int? = nil, reason: String) {
            (self.file, self.block, self.line, self.reason) = (file, block, line, reason)
        }

        package var description: String { file + (line.map { ":\($0)" } ?? "") + ": " + blockWords + reason }
        /// The same for who names the file already.
        package var words: String { (line.map { "line \($0): " } ?? "") + blockWords + reason }

        private var blockWords: String { block.map { "block \($0): " } ?? "" }
    }

    /// Larger files are refused: a whole system's trust store has about 220 kB.
    package static let bytesMax = 16 * 1024 * 1024

    package init(_ bytes: [UInt8], file: String) throws(Fault) {
        guard bytes.count <= Self.bytesMax else {
            throw Fault(file: file, reason: "larger than \(Self.bytesMax) bytes")
        }
        var blocks: [Block] = []
        var open: (label: String, line: Int)?
        var headers: [(String, String)] = []
        var digits: [UInt8] = []
        let lines = bytes.split(omittingEmptySubsequences: false) { $0 == 0x0A }
        for (index, raw) in lines.enumerated() {
            let text = Self.trimmed(raw)
            let number = index + 1
            func fault(_ reason: String) -> Fault {
                Fault(file: file, block: blocks.count + 1, line: number, reason: reason)
            }
            if let label = Self.label(text, "-----BEGIN ") {
                if let open { throw fault("a block begins inside the one of line \(open.line)") }
                open = (label, number)
                (headers, digits) = ([], [])
            } else if let label = Self.label(text, "-----END ") {
                guard let begun = open else { throw fault("END \(label) without its BEGIN") }
                guard begun.label == label else { throw fault("BEGIN \(begun.label) is closed by END \(label)") }
                guard let der = Base64.decoded(digits) else { throw fault("not base64") }
                guard !der.isEmpty else { throw fault("nothing between BEGIN and END") }
                blocks.append(Block(label: label, headers: headers, der: der, line: begun.line))
                open = nil
            } else if open != nil {
                if let colon = text.firstIndex(of: UInt8(ascii: ":")) {
                    headers.append(
                        (
                            String(decoding: text[..<colon], as: UTF8.self),
                            String(decoding: Self.trimmed(text[(colon + 1)...]), as: UTF8.self)
                        ))
                } else {
                    digits.append(contentsOf: text)
                }
            }
        }
        if let open {
            throw Fault(
                file: file, block: blocks.count + 1, line: open.line, reason: "BEGIN \(open.label) is never closed")
        }
        self.blocks = blocks
    }

    private static func trimmed(_ line: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        var line = line.drop { $0 == 0x20 || $0 == 0x09 }
        while let last = line.last, last == 0x20 || last == 0x09 || last == 0x0D { line.removeLast() }
        return line
    }

    private static func label(_ line: ArraySlice<UInt8>, _ prefix: String) -> String? {
        guard line.starts(with: prefix.utf8), line.count >= prefix.utf8.count + 5,
            line.suffix(5).elementsEqual("-----".utf8)
        else { return nil }
        return String(decoding: line.dropFirst(prefix.utf8.count).dropLast(5), as: UTF8.self)
    }

    /// Whether a file is PEM at all, or rather one DER document.
    package static func isPEM(_ bytes: [UInt8]) -> Bool {
        bytes.first != 0x30 || bytes.split(separator: 0x0A).contains { label(trimmed($0), "-----BEGIN ") != nil }
    }

    /// One block as text, 64 digits a line, as OpenSSL writes it.
    package static func text(label: String, der: [UInt8]) -> String {
        var text = "-----BEGIN \(label)-----\n"
        let digits = Base64.encoded(der)
        for start in stride(from: 0, to: digits.count, by: 64) {
            text += String(decoding: digits[start..<min(start + 64, digits.count)], as: UTF8.self) + "\n"
        }
        return text + "-----END \(label)-----\n"
    }
}

// MARK: - What blocks hold

extension PEMBundle {
    /// The certificates of a file: PEM, several if there are several, or one in DER.
    package static func certificates(in bytes: [UInt8], file: String) throws(Fault) -> [ParsedCertificate] {
        guard isPEM(bytes) else {
            do { return [try ParsedCertificate(der: bytes)] } catch {
                throw Fault(file: file, reason: "\(error)")
            }
        }
        let bundle = try PEMBundle(bytes, file: file)
        var certificates: [ParsedCertificate] = []
        for (index, block) in bundle.blocks.enumerated() where isCertificate(block.label) {
            do { certificates.append(try ParsedCertificate(der: block.der)) } catch {
                throw Fault(file: file, block: index + 1, line: block.line, reason: "\(error)")
            }
        }
        guard !certificates.isEmpty else {
            let found =
                bundle.blocks.isEmpty ? "no PEM block" : "only \(bundle.blocks.map(\.label).joined(separator: ", "))"
            throw Fault(file: file, reason: "no certificate in it, \(found)")
        }
        return certificates
    }

    /// The lists of revoked certificates of a file, PEM or DER.
    package static func revocationLists(in bytes: [UInt8], file: String) throws(Fault) -> [CertificateRevocationList] {
        guard isPEM(bytes) else {
            do { return [try CertificateRevocationList(der: bytes)] } catch {
                throw Fault(file: file, reason: "\(error)")
            }
        }
        let bundle = try PEMBundle(bytes, file: file)
        var lists: [CertificateRevocationList] = []
        for (index, block) in bundle.blocks.enumerated() where block.label == "X509 CRL" {
            do { lists.append(try CertificateRevocationList(der: block.der)) } catch {
                throw Fault(file: file, block: index + 1, line: block.line, reason: "\(error)")
            }
        }
        guard !lists.isEmpty else { throw Fault(file: file, reason: "no X509 CRL in it") }
        return lists
    }

    private static func isCertificate(_ label: String) -> Bool {
        label == "CERTIFICATE" || label == "X509 CERTIFICATE"
    }
}

/// RFC 4648 §4, strict about its alphabet and padding.
package enum Base64 {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    private static let values: [UInt8] = {
        var values = [UInt8](repeating: 255, count: 256)
        for (index, digit) in alphabet.enumerated() { values[Int(digit)] = UInt8(index) }
        return values
    }()

    package static func encoded(_ bytes: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity((bytes.count + 2) / 3 * 4)
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let chunk = bytes[start..<min(start + 3, bytes.count)]
            let word = chunk.reduce(0) { $0 << 8 | UInt32($1) } << UInt32(8 * (3 - chunk.count))
            for place in 0..<4 {
                result.append(place <= chunk.count ? alphabet[Int(word >> UInt32(18 - 6 * place) & 63)] : 0x3D)
            }
        }
        return result
    }

    package static func decoded(_ digits: [UInt8]) -> [UInt8]? {
        guard digits.count % 4 == 0 else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(digits.count / 4 * 3)
        for start in stride(from: 0, to: digits.count, by: 4) {
            let isLast = start + 4 == digits.count
            let padding = isLast ? digits[start..<start + 4].reversed().prefix { $0 == 0x3D }.count : 0
            guard padding <= 2 else { return nil }
            var word: UInt32 = 0
            for place in 0..<4 {
                let value = place < 4 - padding ? values[Int(digits[start + place])] : 0
                guard value != 255 else { return nil }
                word = word << 6 | UInt32(value)
            }
            for place in 0..<(3 - padding) { bytes.append(UInt8(word >> UInt32(16 - 8 * place) & 255)) }
        }
        return bytes
    }
}
