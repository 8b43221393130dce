import BrokerConfiguration
import Foundation
import Testing

@Suite("Lines that must fit together")
struct ConsistencyTests {
    @Test(
        "what does not fit is an error at the line that began it",
        arguments: [
            ("listener 1\ncertfile /c\n", "'certfile' needs 'keyfile' beside it"),
            ("listener 1\nkeyfile /k\n", "'keyfile' needs 'certfile' beside it"),
            ("listener 1\ncafile /ca\n", "'cafile' or 'capath' needs 'certfile' and 'keyfile'"),
            ("listener 1\ncapath /ca\n", "'cafile' or 'capath' needs 'certfile' and 'keyfile'"),
            ("listener 1\nrequire_certificate true\n", "or the listener is plain"),
            ("listener 1\ncertfile /c\nkeyfile /k\nrequire_certificate true\n", "needs 'cafile' or 'capath'"),
            ("listener 1\npsk_hint h\ntls_version tlsv1.3\n", "'psk_hint' is for TLS 1.2"),
            ("listener 1\nprotocol http_api\n", "is not served by Martlet"),
            ("listener 1\nproxy_protocol_v2_require_tls true\n", "needs 'enable_proxy_protocol 2'"),
            ("listener 1\nenable_proxy_protocol 2\ncertfile /c\nkeyfile /k\n", "exclude each other"),
            ("listener 1\nenable_proxy_protocol 2\nuse_subject_as_username true\n", "the header has no subject"),
            ("connection b\ntopic #\n", "the bridge 'b' needs an 'address'"),
            ("connection b\naddress a\n", "the bridge 'b' needs a 'topic'"),
            ("connection b\naddress a\ntopic #\nbridge_cafile /ca\nbridge_certfile /c\n", "or none"),
            ("connection b\naddress a\ntopic #\nbridge_psk aa\n", "needs both 'bridge_identity' and 'bridge_psk'"),
            (
                "connection b\naddress a\ntopic #\nbridge_psk aa\nbridge_identity i\nbridge_cafile /ca\n",
                "keep one of the two"
            ),
            ("plugin acl-file.so\n", "'plugin' needs 'plugin_opt_acl_file PATH' below it"),
            ("plugin dynamic-security.so\n", "'plugin' needs 'plugin_opt_config_file PATH' below it"),
        ])
    func unfit(_ text: String, _ message: String) {
        let found = problems(text)
        #expect(found.map(\.line) == [1], "\(found)")
        #expect(found.first?.message.contains(message) == true, "\(found)")
    }

    @Test("a bridge's name and local identifier are its own")
    func bridgesApart() {
        let whole = "address a\ntopic #\nlocal_clientid l\n"
        #expect(problems("connection b\n\(whole)connection b\n").map(\.line) == [5])
        let found = problems("connection b\n\(whole)connection c\n\(whole)")
        #expect(found.map(\.line) == [5])
        #expect(found.first?.message.contains("'local_clientid' of another bridge") == true)
    }

    @Test("a start with a bridge is refused with the line of its connection, once its own mistakes are told")
    func bridgeRefused() {
        #expect(throws: ConfigurationError.self) {
            try BrokerConfiguration.parse(text: "connection b\naddress a\ntopic #\n".utf8, file: "test.conf")
        }
        do throws(ConfigurationError) {
            _ = try BrokerConfiguration.parse(text: "connection b\naddress a\n".utf8, file: "test.conf")
        } catch {
            #expect(error.problems.map(\.line) == [1, 1])
            #expect(error.problems.last?.message.contains("a later version's") == true)
        }
    }

    @Test("a bridge's keys need their bridge; an included file begins without one")
    func bridgeScope() throws {
        #expect(problems("address a\n").first?.message == "'address' needs a 'connection' line above it")
        #expect(problems("cleansession true\n").map(\.line) == [1])
        try withFolder { folder in
            let included = try folder.write("conf.d/a.conf", "cleansession true\n")
            let main = try folder.write("main.conf", "connection b\ninclude_dir \(folder.path)/conf.d\n")
            #expect(loadProblems(main).first?.file == included)
        }
    }

    @Test(
        "options that cannot do anything are warned about",
        arguments: [
            ("listener 1\ncrlfile /crl\n", "'crlfile' has no effect"),
            ("listener 1\nciphers AES\n", "'ciphers' has no effect"),
            ("listener 1\nuse_identity_as_username true\n", "nobody shows a certificate on a plain listener"),
            ("listener 1\nwebsockets_origin x\n", "without 'protocol websockets'"),
            ("listener 0 /s\nbind_interface lo\n", "no effect on a Unix socket"),
            ("connection b\naddress a\ntopic #\nbridge_alpn mqtt\n", "the bridge 'b' is not encrypted"),
            ("plugin_load a acl-file.so\nplugin_opt_acl_file /acl\n", "used by no listener"),
            ("plugin sparkplug-aware.so\n", "has no effect"),
            (
                "plugin dynamic-security.so\nplugin_opt_config_file /r\n",
                "every password, publish and subscription is refused"
            ),
        ])
    func ineffective(_ text: String, _ message: String) throws {
        let found = try remarks(text).filter { $0.severity == .warning && $0.line == 1 }
        #expect(found.contains { $0.message.contains(message) }, "\(found)")
    }

    @Test("plugins and keys for the same thing: one of the two")
    func twice() {
        let plugin = "plugin acl-file.so\nplugin_opt_acl_file /b\n"
        #expect(problems("acl_file /a\n\(plugin)").map(\.line) == [2])
        #expect(
            problems("per_listener_settings true\nglobal_\(plugin)listener 1\nacl_file /a\n").map(\.line) == [4])
    }

    @Test("a plugin is for the broker, a listener, or every listener")
    func pluginScopes() throws {
        let lines = "plugin password-file.so\nplugin_opt_password_file /p\n"
        let listeners = try parsed("listener 1\n\(lines)listener 2\n").listeners
        #expect(listeners.map(\.security.passwordFile) == ["/p", "/p"])
        let own = try parsed("per_listener_settings true\nlistener 1\n\(lines)listener 2\n").listeners
        #expect(own.map(\.security.passwordFile) == ["/p", nil])
        let all = try parsed("per_listener_settings true\nglobal_\(lines)listener 1\nlistener 2\n").listeners
        #expect(all.map(\.security.passwordFile) == ["/p", "/p"])
        #expect(problems("per_listener_settings true\n\(lines)").map(\.line) == [2, 3])
    }

    @Test("security settings belong to their listener under per_listener_settings")
    func securityScopes() throws {
        let text = "listener 1\npassword_file /p\nacl_file /a\npsk_file /k\nlistener 2\n"
        let all = try parsed(text).listeners.map(\.security)
        #expect(all.map(\.passwordFile) == ["/p", "/p"])
        #expect(all.map(\.aclFile) == ["/a", "/a"])
        let own = try parsed("per_listener_settings true\n\(text)").listeners.map(\.security)
        #expect(own.map(\.passwordFile) == ["/p", nil])
        #expect(own.map(\.pskFile) == ["/k", nil])
    }

    @Test("use_identity_as_username goes before use_subject_as_username; PROXY v2 knows names too")
    func identity() throws {
        let tls = "listener 1\ncertfile /c\nkeyfile /k\n"
        let both = try parsed("\(tls)use_subject_as_username true\nuse_identity_as_username true\n")
        #expect(both.listeners[0].certificateIdentity == .commonName)
        let proxy = try parsed("listener 1\nenable_proxy_protocol 2\nuse_identity_as_username true\n")
        #expect(proxy.listeners[0].certificateIdentity == .commonName)
        #expect(proxy.listeners[0].tls == nil)
        let certified = try parsed("listener 1\nrequire_certificate true\nenable_proxy_protocol 2\n")
        #expect(certified.listeners[0].proxyRequiresCertificate && certified.listeners[0].tls == nil)
        #expect(!proxy.listeners[0].proxyRequiresCertificate)
    }

    @Test("who may come in, in words: where certificates or keys name clients, neither passwords nor no name do")
    func admission() throws {
        let tls = "allow_anonymous true\npassword_file /p\nlistener 1\ncertfile /c\nkeyfile /k\ncafile /ca\n"
        func words(_ text: String) throws -> [String] { try parsed(text).listeners.map(\.admission) }
        #expect(try words(tls) == ["users of /p with their password, who gives no user name"])
        let named = tls + "use_identity_as_username true\n"
        #expect(try words(named + "require_certificate true\n") == ["who has a certificate of /ca"])
        #expect(try words(named) == ["nobody (no require_certificate: nobody is asked for one)"])
        #expect(
            try words("allow_anonymous true\nlistener 1\nenable_proxy_protocol 2\nuse_identity_as_username true\n")
                == ["who has a certificate that the proxy has verified"])
        #expect(
            try words("allow_anonymous true\nlistener 1\nenable_proxy_protocol 2\nrequire_certificate true\n")
                == ["everybody, each with a certificate that the proxy has verified"])
        #expect(
            try words("psk_file /k\nlistener 1\npsk_hint h\nuse_identity_as_username true\n")
                == ["who has a key of /k"])
    }

    @Test("what is found out later about a file is told at the line that names it, above every listener and below")
    func places() throws {
        let text = "password_file /p\nlistener 1\nacl_file /a\npsk_hint h\nlistener 2\nkeyfile /k\ncertfile /c\n"
        let lines = try parsed(text).listeners.map { listener in
            ["password_file", "acl_file", "psk_hint", "keyfile"].map {
                listener.places.diagnostic(.error, key: $0, "").line
            }
        }
        #expect(lines == [[1, 3, 4, 2], [1, 3, 5, 6]])
        let own = try parsed("per_listener_settings true\nlistener 1\npassword_file /p\nlistener 2\npassword_file /q\n")
        #expect(own.listeners.map { $0.places.diagnostic(.error, key: "password_file", "").line } == [3, 5])
        #expect(
            try parsed("certfile /c\nkeyfile /k\n").listeners[0].places.diagnostic(.error, key: "keyfile", "").line == 2
        )
    }

    @Test("Unix sockets")
    func unixSockets() throws {
        let listener = try parsed("listener 0 /run/martlet.sock\n").listeners[0]
        #expect(listener.address == .unix(path: "/run/martlet.sock"))
        #expect(listener.port == 0)
        #expect(listener.host == nil)
        #expect(problems("listener 0 /s\nlistener 0 /s\n").map(\.line) == [2])
    }

    @Test(
        "the file that is on this machine loads as it is",
        .enabled(
            if: FileManager.default.isReadableFile(atPath: "/etc/mosquitto/mosquitto.conf"), "apt install mosquitto"))
    func installed() throws {
        _ = try BrokerConfiguration.load(file: "/etc/mosquitto/mosquitto.conf")
    }

    @Test("Debian's packaged /etc/mosquitto/mosquitto.conf loads unchanged")
    func debian() throws {
        try withFolder { folder in
            _ = try folder.write("conf.d/README", "Any files placed in this directory that have a .conf ending…\n")
            // The file of Debian's mosquitto 2.0.11, with its folder moved into ours.
            let path = try folder.write(
                "mosquitto.conf",
                """
                # Place your local configuration in /etc/mosquitto/conf.d/
                #
                # A full description of the configuration file is at
                # /usr/share/doc/mosquitto/examples/mosquitto.conf.example

                pid_file /run/mosquitto/mosquitto.pid

                persistence true
                persistence_location /var/lib/mosquitto/

                log_dest file /var/log/mosquitto/mosquitto.log

                include_dir \(folder.path)/conf.d

                """)
            let (configuration, warnings) = try BrokerConfiguration.load(file: path)
            #expect(warnings == [])
            #expect(configuration.isLocalOnly)
            #expect(configuration.pidFile == "/run/mosquitto/mosquitto.pid")
            #expect(configuration.persistence.location == "/var/lib/mosquitto/")
            #expect(configuration.log.destinations == [.file(path: "/var/log/mosquitto/mosquitto.log")])
        }
    }
}
