import CertificateTestKit
import Certificates
import Testing

@Suite("Private keys, ours and OpenSSL's")
struct KeyFormatTests {
    static let kinds: [PrivateKey.Kind] = [.p256, .p384, .rsa(2048), .rsa(3072)]

    @Test("what we write OpenSSL reads, and writes back byte for byte", arguments: kinds)
    func written(_ kind: PrivateKey.Kind) throws {
        let openSSL = try OpenSSL()
        let key = try PrivateKey.generate(kind)
        try openSSL.write(key.pem, to: "key.pem")
        #expect(try openSSL.run("pkcs8", "-topk8", "-nocrypt", "-in", "key.pem", "-outform", "DER").output == key.pkcs8)
        #expect(try openSSL.run("pkcs8", "-topk8", "-nocrypt", "-in", "key.pem").text == key.pem)
        let traditional = try #require(key.traditional)
        #expect(
            try openSSL.run("pkey", "-in", "key.pem", "-traditional", "-outform", "DER").output == traditional.der)
        #expect(
            try openSSL.run("pkey", "-in", "key.pem", "-traditional").text
                == PEMBundle.text(label: traditional.label, der: traditional.der))
        #expect(try openSSL.run("pkey", "-in", "key.pem", "-check", "-noout").text.contains("valid"))
    }

    @Test(
        "what OpenSSL writes we read", arguments: ["P-256", "P-384", "P-521", "RSA-2048", "ED25519"], [false, true])
    func read(_ kind: String, _ isTraditional: Bool) throws {
        let lab = try CertificateLab()
        try lab.key("one", kind)
        if isTraditional {
            if kind == "ED25519" { return }
            try lab.openSSL.run("pkey", "-in", "one.key", "-traditional", "-out", "old.key")
        }
        let name = isTraditional ? "old.key" : "one.key"
        let key = try PrivateKey(file: lab.openSSL.read(name), name: name)
        #expect(try lab.openSSL.run("pkcs8", "-topk8", "-nocrypt", "-in", name, "-outform", "DER").output == key.pkcs8)
        let der = try lab.openSSL.run("pkey", "-in", name, "-pubout", "-outform", "DER").output
        #expect(try key.publicKey.der == der)
    }

    @Test("a key that names its curve before itself, as `openssl ecparam -genkey` writes it")
    func parameters() throws {
        let openSSL = try OpenSSL()
        try openSSL.run("ecparam", "-name", "prime256v1", "-genkey", "-out", "key.pem")
        let key = try PrivateKey(file: openSSL.read("key.pem"), name: "key.pem")
        #expect(try key.publicKey.description == "EC P-256")
    }

    @Test("RSA below 2048 bits is neither made nor read [CT-3]")
    func tooShort() throws {
        #expect(throws: KeyFault.tooShort("RSA 1024")) { try PrivateKey.generate(.rsa(1024)) }
        #expect(throws: KeyFault.self) { try PrivateKey.generate(.rsa(2049)) }
        let lab = try CertificateLab()
        try lab.key("short", "RSA-1024")
        #expect(throws: KeyFault.tooShort("RSA 1024")) {
            try PrivateKey(file: lab.openSSL.read("short.key"), name: "short.key")
        }
    }

    @Test("behind a passphrase: OpenSSL opens ours")
    func encryptedByUs() throws {
        let openSSL = try OpenSSL()
        let key = try PrivateKey.generate(.p256)
        let sealed = try EncryptedPKCS8.encrypt(key.pkcs8, passphrase: "größer")
        try openSSL.write(PEMBundle.text(label: "ENCRYPTED PRIVATE KEY", der: sealed), to: "key.pem")
        let opened = try openSSL.run(
            "pkcs8", "-topk8", "-nocrypt", "-in", "key.pem", "-passin", "pass:größer", "-outform", "DER")
        #expect(opened.output == key.pkcs8)
        #expect(try openSSL.attempt(["pkey", "-in", "key.pem", "-passin", "pass:wrong", "-noout"]).status != 0)
        #expect(throws: KeyFault.passphraseNeeded) { try PrivateKey(der: sealed) }
        #expect(throws: KeyFault.wrongPassphrase) { try PrivateKey(der: sealed, passphrase: "wrong") }
        #expect(try PrivateKey(der: sealed, passphrase: "größer").pkcs8 == key.pkcs8)
    }

    @Test(
        "behind a passphrase: we open OpenSSL's",
        arguments: ["aes-128-cbc", "aes-192-cbc", "aes-256-cbc", "des3"],
        ["hmacWithSHA1", "hmacWithSHA256", "hmacWithSHA512"])
    func encryptedByOpenSSL(_ cipher: String, _ function: String) throws {
        let lab = try CertificateLab()
        try lab.key("one")
        try lab.openSSL.run(
            "pkcs8", "-topk8", "-in", "one.key", "-v2", cipher, "-v2prf", function, "-passout", "pass:secret", "-out",
            "sealed.key")
        let sealed = try lab.openSSL.read("sealed.key")
        let plain = try PrivateKey(file: lab.openSSL.read("one.key"), name: "one.key")
        #expect(try PrivateKey(file: sealed, name: "sealed.key", passphrase: "secret").pkcs8 == plain.pkcs8)
        #expect(throws: KeyFault.wrongPassphrase) {
            try PrivateKey(file: sealed, name: "sealed.key", passphrase: "Secret")
        }
    }

    @Test("kinds of encryption we do not read are named")
    func otherEncryption() throws {
        let lab = try CertificateLab()
        try lab.key("one", "RSA-2048")
        try lab.openSSL.run(
            "pkcs8", "-topk8", "-in", "one.key", "-v2", "camellia-256-cbc", "-passout", "pass:x", "-out", "rare.key")
        try lab.openSSL.run(
            "rsa", "-in", "one.key", "-camellia256", "-traditional", "-passout", "pass:x", "-out", "old.key")
        for name in ["rare.key", "old.key"] {
            do {
                _ = try PrivateKey(file: lab.openSSL.read(name), name: name, passphrase: "x")
                Issue.record("\(name) was read")
            } catch KeyFault.unsupported(let why) {
                #expect(!why.isEmpty)
            }
        }
    }
}
