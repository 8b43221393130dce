import MQTTTransport
import Testing

@Suite("Cipher lists are understood before the library sees them")
struct CipherListTests {
    @Test(
        "lists that come to something",
        arguments: [
            ("ECDHE-RSA-AES128-GCM-SHA256", ["ECDHE-RSA-AES128-GCM-SHA256"]),
            ("TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", ["ECDHE-RSA-AES256-GCM-SHA384"]),
            ("AES256-SHA:AES128-SHA", ["AES256-SHA", "AES128-SHA"]),
            ("ECDHE+AESGCM+aRSA", ["ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-GCM-SHA384"]),
            ("kRSA+AESGCM:!AES128", ["AES256-GCM-SHA384"]),
            ("AES128-SHA:AES256-SHA:@STRENGTH", ["AES256-SHA", "AES128-SHA"]),
            ("PSK+CHACHA20 , AES128-SHA", ["ECDHE-PSK-CHACHA20-POLY1305", "AES128-SHA"]),
            ("kRSA:-AES256:+AESGCM", ["AES128-SHA", "AES128-GCM-SHA256"]),
            ("!AES128-SHA:AES128-SHA:AES256-SHA", ["AES256-SHA"]),
            ("@SECLEVEL=2:AES128-SHA", ["AES128-SHA"]),
        ])
    func names(text: String, names: [String]) throws {
        #expect(try CipherList(text).names == names)
    }

    @Test("mosquitto's example and the default words leave something over")
    func words() throws {
        #expect(try CipherList("DEFAULT:!aNULL:!eNULL:!LOW:!EXPORT:!SSLv2:@STRENGTH").names.count > 10)
        #expect(try CipherList("HIGH").names.count > 10)
    }

    @Test("what OpenSSL has and this library does not is told, and the others count")
    func notOffered() throws {
        let list = try CipherList("DHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:CAMELLIA128")
        #expect(list.names == ["ECDHE-RSA-AES256-GCM-SHA384"])
        #expect(list.notOffered == ["DHE-RSA-AES256-GCM-SHA384", "CAMELLIA128"])
    }

    @Test(
        "lists that come to nothing are refused, not handed on",
        arguments: [
            "", ":", "nonsense", "ECDHE-RSA-AES128-GCM-SHA257", "AES128-SHA:bogus", "!ALL", "AES128-SHA:!AES", "eNULL",
            "DHE-RSA-AES256-GCM-SHA384", "@NOSENSE:AES128-SHA", "!", "aRSA+aECDSA", "AES128-SHA:-ALL", "+AES128-SHA",
            "ECDHE-", "RC4-MD5", "TLS_AES_128_GCM_SHA256x",
        ])
    func refused(text: String) {
        #expect(throws: SettingFault.self) { try CipherList(text) }
    }

    @Test("TLS 1.3: names are checked, and what cannot be left out is said")
    func tls13() throws {
        #expect(try TLS13CipherList.unavoidable(in: TLS13CipherList.offered.joined(separator: ":")).isEmpty)
        #expect(
            try TLS13CipherList.unavoidable(in: "TLS_AES_256_GCM_SHA384") == [
                "TLS_AES_128_GCM_SHA256", "TLS_CHACHA20_POLY1305_SHA256",
            ])
        #expect(throws: SettingFault.self) { try TLS13CipherList.unavoidable(in: "AES128-SHA") }
        #expect(throws: SettingFault.self) { try TLS13CipherList.unavoidable(in: "TLS_AES_128_CCM_SHA256") }
    }
}

@Suite("psk_file")
struct PreSharedKeyTests {
    @Test("identities and keys, comments, blanks, line ends of Windows")
    func reads() throws {
        let text = "# devices\n\ndev1:00ff\r\n  dev 2 : A0b1 \nüber:01\n"
        let keys = try PreSharedKeys(Array(text.utf8), file: "f")
        #expect(keys.count == 3)
        #expect(keys["dev1"] == [0x00, 0xFF])
        #expect(keys["dev 2"] == [0xA0, 0xB1])
        #expect(keys["über"] == [1])
        #expect(keys["dev3"] == nil)
    }

    @Test(
        "faults name the line",
        arguments: [
            "dev1\n", "dev1:\n", "dev1:0\n", "dev1:0g\n", "dev1:+1\n", "dev1:0x01\n", ":00\n", "dev1:00\ndev1:01\n",
            "d:" + String(repeating: "00", count: 257) + "\n",
        ])
    func faults(text: String) throws {
        let fault = #expect(throws: SettingFault.self) { try PreSharedKeys(Array(text.utf8), file: "f") }
        let line = text.split(separator: "\n").count
        #expect(fault?.value == "f:\(line)")
    }

    @Test("bytes that are no text")
    func binary() { #expect(throws: SettingFault.self) { try PreSharedKeys([0xFF, 0x3A, 0x30, 0x30], file: "f") } }
}
