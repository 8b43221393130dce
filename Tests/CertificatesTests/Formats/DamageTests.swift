import CertificateTestKit
import Certificates
import SeededRandom
import Testing

@Suite("Damaged documents: an error each, never a crash")
struct DamageTests {
    private static func damaged(_ bytes: [UInt8], using generator: inout SeededGenerator) -> [UInt8] {
        var bytes = bytes
        for _ in 0..<Int.random(in: 1...4, using: &generator) where !bytes.isEmpty {
            let index = Int.random(in: bytes.indices, using: &generator)
            switch Int.random(in: 0..<6, using: &generator) {
            case 0: bytes[index] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
            case 1: bytes[index] = .random(in: 0...255, using: &generator)
            case 2: bytes.remove(at: index)
            case 3: bytes.insert(.random(in: 0...255, using: &generator), at: index)
            case 4: bytes.removeLast(min(bytes.count, Int.random(in: 1...64, using: &generator)))
            default: bytes[index] = [0, 0x7F, 0x80, 0x81, 0xFF].randomElement(using: &generator) ?? 0
            }
        }
        return bytes
    }

    @Test("certificates, with a verdict each", arguments: 1...4)
    func certificates(_ seed: UInt64) throws {
        let lab = try CertificateLab.shared.get()
        let names = ["server-root", "server-rsa", "only-net", "only-ours", "server-pss256", "version1", "inter"]
        let anchors = try lab.load(["root"])
        let verifier = ChainVerifier(
            anchors: anchors, revocationLists: try lab.lists(["fresh"]),
            options: .init(purpose: .server, hostName: HostName("broker.example")))
        let whole = try lab.load(names).map(\.der)
        var generator = SeededGenerator(seed: seed)
        for round in 0..<1500 {
            let bytes = Self.damaged(whole[round % whole.count], using: &generator)
            let verdict = verifier.verify(chain: [bytes, whole[6]], at: lab.now)
            if case .success = verdict, !whole.contains(bytes) {
                Issue.record("damage was accepted: seed \(seed), \(round)")
            }
            if case .failure(let refusal) = verdict { _ = refusal.description }
        }
    }

    @Test("lists, requests and keys", arguments: 1...4)
    func others(_ seed: UInt64) throws {
        let lab = try CertificateLab.shared.get()
        let list = try lab.lists(["revoking"])[0].der
        let key = try PrivateKey.generate(.p256)
        let request = try CertificateRequest(
            subject: DistinguishedName([("CN", "x")]), key: key,
            extensions: [.subjectAlternativeNames([.dns("x.example")])]
        ).der
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<800 {
            _ = try? CertificateRevocationList(der: Self.damaged(list, using: &generator))
            _ = (try? CertificateRequest(der: Self.damaged(request, using: &generator)))?.isSignedByItsKey
            _ = try? PrivateKey(der: Self.damaged(key.pkcs8, using: &generator))
            _ = try? PrivateKey(der: Self.damaged(key.traditional?.der ?? [], using: &generator))
        }
        let sealed = try EncryptedPKCS8.encrypt(key.pkcs8, passphrase: "x")
        for _ in 0..<100 where generator.next() != 0 {
            var bytes = sealed
            bytes[Int.random(in: 0..<60, using: &generator)] = .random(in: 0...127, using: &generator)
            _ = try? PrivateKey(der: bytes, passphrase: "x")
        }
    }

    @Test("PEM files", arguments: 1...4)
    func pem(_ seed: UInt64) throws {
        let lab = try CertificateLab.shared.get()
        let whole = Array(try lab.load(["root", "inter"]).map(\.pem).joined(separator: "text between\n").utf8)
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<1000 {
            let bytes = Self.damaged(whole, using: &generator)
            _ = try? PEMBundle.certificates(in: bytes, file: "x")
            _ = try? PEMBundle.revocationLists(in: bytes, file: "x")
            _ = try? PrivateKey(file: bytes, name: "x")
        }
    }

    @Test("what is wrong with a PEM file is said with file, block and line")
    func faults() throws {
        let lab = try CertificateLab.shared.get()
        let good = try lab.load(["root"])[0].pem
        func message(_ text: String) -> String {
            do {
                _ = try PEMBundle.certificates(in: Array(text.utf8), file: "ca.crt")
                return "fine"
            } catch { return "\(error)" }
        }
        #expect(message(good + good) == "fine")
        #expect(message("") == "ca.crt: no certificate in it, no PEM block")
        #expect(
            message(good + "-----BEGIN CERTIFICATE-----\nMIIB\n").contains("block 2: BEGIN CERTIFICATE is never closed")
        )
        #expect(
            message("-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n") == "ca.crt:3: block 1: not base64")
        #expect(message(good + "-----END CERTIFICATE-----\n").contains("without its BEGIN"))
        #expect(message("-----BEGIN X509 CRL-----\nMIIB\n-----END X509 CRL-----\n").contains("only X509 CRL"))
        #expect(
            message("-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n").hasPrefix(
                "ca.crt:1: block 1: certificate"))
    }
}
