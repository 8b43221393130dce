import BrokerConfiguration
import MQTTProtocol
import Testing

@Suite("Every key")
struct KeyTests {
    @Test("has a case here, and every case a key")
    func casesAreWhole() {
        #expect(KeyCase.all.map(\.key) == ConfigurationKey.all.map(\.name))
    }

    @Test("default and accepted values", arguments: KeyCase.all)
    func accepts(_ one: KeyCase) throws {
        if let before = one.before { #expect(before(try parsed(one.above)), "the default of \(one.key)") }
        var last = BrokerConfiguration.embeddedDefaults
        for value in one.valid { last = try parsed("\(one.above)\(one.key) \(value)\n") }
        #expect(one.after(last), "\(one.key) \(one.valid.last ?? "")")
    }

    @Test("refused values are told with line and key", arguments: KeyCase.all)
    func refuses(_ one: KeyCase) {
        let line = one.line + 1
        for value in one.invalid {
            let found = problems("\(one.above)# text\n\(one.key) \(value)\n")
            #expect(found.count == 1, "\(one.key) \(value)")
            #expect(found.first?.line == line)
            #expect(found.first?.message.hasPrefix("'\(one.key)'") == true, "\(found)")
        }
    }

    @Test("text set twice in one scope is an error, other values are noted", arguments: ConfigurationKey.all)
    func repetition(_ key: ConfigurationKey) throws {
        guard let one = KeyCase.all.first(where: { $0.key == key.name }), let value = one.valid.last else { return }
        let twice = "\(one.above)\(key.name) \(value)\n\(key.name) \(value)\n"
        let line = one.line + 1
        let onceOnly = [
            "bind_address", "auto_id_prefix", "listener_auto_id_prefix", "log_timestamp_format", "pid_file",
            "persistence_location", "persistence_file", "mount_point", "bind_interface", "http_dir", "certfile",
            "keyfile", "keyfile_password_file", "cafile", "capath", "crlfile", "tls_version", "ciphers",
            "ciphers_tls1.3",
            "psk_hint", "dhparamfile", "tls_engine", "tls_engine_kpass_sha1", "tls_keyform", "password_file",
            "acl_file",
            "psk_file", "clientid_prefixes", "plugin_opt_acl_file", "plugin_opt_password_file",
            "plugin_opt_config_file",
            "plugin_opt_password_init_file", "address", "remote_clientid", "local_clientid", "remote_username",
            "remote_password", "local_username", "local_password", "bridge_bind_address", "notification_topic",
            "bridge_cafile", "bridge_capath", "bridge_certfile", "bridge_keyfile", "bridge_ciphers",
            "bridge_ciphers_tls1.3", "bridge_alpn", "bridge_identity", "bridge_psk", "plugin_opt_db_file",
        ]
        switch key.name {
        case let name where onceOnly.contains(name):
            let found = problems(twice)
            #expect(found.map(\.line) == [line])
            #expect(found.first?.message.contains("is set twice, first at test.conf:\(line - 1)") == true, "\(found)")
        case "listener":
            #expect(problems(twice).first?.message.contains("two listeners want port 1884 on ::1") == true)
        case "plugin_load":
            #expect(problems(twice).first?.message.contains("loads a second plugin called 'b'") == true)
        case "connection":
            #expect(problems("\(twice)").first?.message.contains("a second bridge called") == true)
        case "topic", "restart_timeout", "bridge_tcp_keepalive", "port", "log_dest", "log_type", "include_dir",
            "retry_interval", "per_listener_settings",
            "persistent_client_expiration", "durability", "plugin", "global_plugin", "plugin_opt_flush_period",
            "plugin_opt_sync", "plugin_opt_page_size",
            "plugin_use", "auth_plugin_deny_special_chars", "websockets_origin", "accept_protocol_versions":
            _ = try parsed(twice)
        default:
            #expect(
                try remarks(twice).contains { $0.message.contains("is set again here") && $0.line == line },
                "\(key.name)")
        }
    }

    @Test("what has no effect is warned about, unless it is switched off", arguments: ConfigurationKey.all)
    func ignored(_ key: ConfigurationKey) throws {
        guard case .ignored(let reason) = key.standing,
            let one = KeyCase.all.first(where: { $0.key == key.name }), let value = one.valid.last
        else { return }
        let warnings = try remarks("\(one.above)\(key.name) \(value)\n").filter { $0.severity == .warning }
        #expect(warnings.map(\.message) == ["'\(key.name)' has no effect: \(reason)"])
        #expect(warnings.first?.line == one.line)
    }

    @Test(
        "a bridge's key is checked, and a start with it is refused, until bridges run",
        arguments: ConfigurationKey.all.filter { $0.group == .bridges })
    func bridges(_ key: ConfigurationKey) throws {
        let one = try #require(KeyCase.all.first { $0.key == key.name }, "a row and its case")
        let text = "\(one.above)\(key.name) \(one.valid.last ?? "")\n"
        #expect(throws: ConfigurationError.self) {
            try BrokerConfiguration.parse(text: text.utf8, file: "test.conf")
        }
        let report = ConfigurationReport(text: text.utf8, file: "test.conf")
        #expect(report.settings.first { $0.line == one.line }?.verdict == .notYet)
        #expect(!report.canStart)
    }

    @Test("what Martlet does in any case is noted", arguments: ConfigurationKey.all)
    func surpassed(_ key: ConfigurationKey) throws {
        guard case .surpassed(let reason) = key.standing, let one = KeyCase.all.first(where: { $0.key == key.name }),
            let value = one.valid.last
        else { return }
        let notes = try remarks("\(one.above)\(key.name) \(value)\n")
        #expect(notes.last?.message == "'\(key.name)': \(reason)")
        #expect(notes.allSatisfy { $0.severity == .note })
    }

    @Test("options of a plugin need its line above them; other plugins are refused by name")
    func plugins() {
        #expect(problems("plugin_opt_db_file /x\n").first?.message.contains("needs a 'plugin' line above it") == true)
        let other = problems("plugin /usr/lib/mosquitto_other.so\nplugin_opt_sync full\nauth_opt_x y\n")
        #expect(other.map(\.line) == [1])
        #expect(other.first?.message.contains("mosquitto_other.so: Martlet loads no shared objects") == true)
        let unknown = problems("plugin mosquitto_acl_file.so\nauth_opt_x y\n")
        #expect(
            unknown.map(\.message) == ["'auth_opt_x' is no option of the plugin above, which has plugin_opt_acl_file"])
    }

    @Test("the environment's folder goes before the file's")
    func environment() throws {
        var configuration = try parsed("persistence_location /file\n")
        _ = configuration.apply(try CommandLineOverrides(persistenceLocation: "/environment"))
        #expect(configuration.persistence.location == "/environment")
        _ = configuration.apply(try CommandLineOverrides())
        #expect(configuration.persistence.location == "/environment")
    }

    @Test("persistence false and memory_limit 0 are nothing to warn about")
    func switchedOff() throws {
        #expect(try remarks("persistence false\nmemory_limit 0\n") == [])
    }

    @Test("aliases")
    func aliases() throws {
        #expect(try parsed("maximum_qos 0\n").listeners[0].qosMax == .atMostOnce)
        #expect(try parsed("retained_persistence true\n").persistence.isOn)
    }

    @Test("max_inflight_messages 65535 means no limit")
    func inflightUnlimited() throws {
        #expect(try parsed("max_inflight_messages 65535\n").inflightMessagesMax == nil)
        #expect(try parsed("max_inflight_messages 0\n").inflightMessagesMax == nil)
    }
}
