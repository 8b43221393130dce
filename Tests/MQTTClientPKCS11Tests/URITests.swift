import MQTTClientPKCS11
import Testing

/// RFC 7512, row by row.
@Suite("pkcs11: URIs")
struct URITests {
    @Test("token, object, id, type, module and the file of a PIN")
    func whole() throws {
        let uri = try PKCS11URI(
            "pkcs11:token=my%20token;serial=0815;manufacturer=Us;model=M1;slot-id=3;object=Device%20Priv%20TLS%20Key;id=%01%ff;type=private"
                + "?module-path=/usr/lib/m.so&pin-source=file:/run/pin")
        #expect(
            uri.token
                == TokenReference(label: "my token", serialNumber: "0815", manufacturer: "Us", model: "M1", slot: 3))
        #expect(uri.object == ObjectReference(label: "Device Priv TLS Key", id: [1, 0xFF]))
        #expect(uri.kind == .privateKey)
        #expect(uri.modulePath == "/usr/lib/m.so")
        #expect(uri.pinFile == "/run/pin")
        #expect(uri.pin?.description == "the file /run/pin")
    }

    @Test("nothing named means the only token and the usual object")
    func empty() throws {
        let uri = try PKCS11URI("pkcs11:")
        #expect(uri.token == TokenReference())
        #expect(uri.object == nil)
        #expect(uri.pin == nil)
    }

    @Test(
        "files of PINs",
        arguments: [("/a/b", "/a/b"), ("file:/a/b", "/a/b"), ("file:///a/b", "/a/b"), ("a%3bb", "a;b")])
    func pinFile(_ written: String, _ path: String) throws {
        #expect(try PKCS11URI("pkcs11:?pin-source=\(written)").pinFile == path)
    }

    @Test("a PIN in a URI is used and never shown")
    func pinIsSecret() throws {
        let uri = try PKCS11URI("pkcs11:token=t?pin-value=topsecret")
        #expect(uri.pin != nil)
        var dumped = ""
        dump(uri, to: &dumped)
        dump(PINSource.value("topsecret"), to: &dumped)
        for text in ["\(uri)", String(reflecting: uri), dumped, "\(uri.pin.map { "\($0)" } ?? "")"] {
            #expect(!text.contains("topsecret"))
        }
    }

    @Test(
        "what is not understood is refused, and says why",
        arguments: [
            ("https://x", "begin with"), ("pkcs11:token", "no '='"), ("pkcs11:token=a;token=b", "twice"),
            ("pkcs11:token=%4", "hexadecimal"), ("pkcs11:token=%zz", "hexadecimal"), ("pkcs11:token=%ff", "no text"),
            ("pkcs11:x-vendor=1", "'x-vendor' is not supported"), ("pkcs11:type=data", "type is"),
            ("pkcs11:slot-id=x", "not a number"), ("pkcs11:?pin-source=|cat", "program"),
            ("pkcs11:?pin-source=/a&pin-value=1", "exclude"),
            ("pkcs11:?module-name=p11", "'module-name' is not supported"),
        ])
    func refused(_ text: String, _ reason: String) throws {
        let error = #expect(throws: KeyStoreError.self) { try PKCS11URI(text) }
        #expect("\(try #require(error))".contains(reason))
    }
}
