import Glibc
import MQTTTestKit
import Testing

/// What keys about rights change, over sockets and restarts.
@Suite("Keys of access", .blocking) struct AccessKeyTests {
    private static let isMartlet = !BrokerUnderTest.isMosquitto
    private static let one = "listener {port} 127.0.0.1\nallow_anonymous true\n"
    /// `u`, with the password `secret`.
    private static let passwords =
        "u:$7$101$AAAAAAAAAAAAAAAA$"
        + "GKi4qDyk9y4EWmYPwoG2Z68xDS4geZItBOL+r9OzoRFUOftyza0bBNYPi42rbBMws2OTLsfxYvabe/4weVE1LQ==\n"

    /// Retained topics that a newcomer finds.
    private func retained(_ broker: BrokerProcess) throws -> [String] {
        let reader = try RawClient.connected(to: broker, user: "reader")
        reader.send(Wire.subscribe(id: 1, [("#", 0)]))
        return try reader.barrier().filter { $0.kind == .publish }.map(\.topicText).sorted()
    }

    @Test(
        "[check_retain_source] who has lost the right to write is not heard by newcomers",
        arguments: [nil, true, false])
    func retainSource(_ value: Bool?) throws {
        let key = value.map { "check_retain_source \($0)\n" } ?? ""
        let keeper = try BrokerProcess.start(Self.one)  // lends its folder
        let text =
            Self.one + "persistence true\npersistence_location \(keeper.directory)/\n\(key)acl_file {directory}/acl\n"
        let acl = "user reader\ntopic #\nuser a\ntopic write of/#\n"
        var broker = try BrokerProcess.start(text, files: ["acl": acl + "user b\ntopic write of/#\n"])
        for user in ["a", "b"] {
            try RawClient.connected(to: broker, user: user).publish("of/\(user)", "x", qos: 1, retain: true)
        }
        #expect(try retained(broker) == ["of/a", "of/b"])
        #expect(broker.stop())
        broker = try BrokerProcess.start(text, files: ["acl": acl])
        let found = try retained(broker)
        try withKnownDifference(.mosquitto, "2.0.11 does not check, though its manual says so", when: value == nil) {
            #expect(found == (value == false ? ["of/a", "of/b"] : ["of/a"]))
        }
    }

    @Test("[password_file] [acl_file] their plugins' lines mean the same", .enabled(if: isMartlet, "since 2.1"))
    func plugins() throws {
        let acl = ["acl": "topic read open\nuser u\ntopic write open\n"]
        for text in [
            "acl_file {directory}/acl\n",
            "plugin /usr/lib/mosquitto_acl_file.so\nplugin_opt_acl_file {directory}/acl\n",
            "global_plugin mosquitto_acl_file.so\nauth_opt_acl_file {directory}/acl\n",
            "plugin_load rights mosquitto_acl_file.so\nplugin_opt_acl_file {directory}/acl\nplugin_use rights\n",
        ] {
            let head = text.hasPrefix("plugin_load") ? "" : text
            let tail = text.hasPrefix("plugin_load") ? text : ""
            let broker = try BrokerProcess.start(head + Self.one + tail, files: acl)
            let reader = try RawClient.connected(to: broker, version: 5)
            try reader.subscribe("#", 0)
            let writer = try RawClient.connected(to: broker, version: 5, user: "u")
            for (topic, code) in [("open", 0), ("other", 0x87)] as [(String, UInt8)] {
                writer.send(Wire.publish(topic: topic, payload: "x", qos: 1, id: 1, properties: []))
                #expect(try writer.expect(.puback).reasonCode == code, "\(text)")
            }
            #expect(try reader.barrier().filter { $0.kind == .publish }.map(\.topicText) == ["open"], "\(text)")
        }
        for text in [
            "password_file {directory}/pw\n",
            "plugin mosquitto_password_file.so\nplugin_opt_password_file {directory}/pw\n",
        ] {
            let broker = try BrokerProcess.start(text + Self.one, files: ["pw": Self.passwords])
            for (password, code) in [("secret", 0), ("wrong", 5)] as [(String, UInt8)] {
                let client = try RawClient(broker)
                client.send(Wire.connect(id: unique("c"), user: "u", password: Array(password.utf8)))
                #expect(try client.expect(.connack).reasonCode == code, "\(text)")
            }
        }
    }

    @Test(
        "[auth_plugin_deny_special_chars] false or true: a name with + or # has no rights by patterns",
        .enabled(if: isMartlet, "mosquitto asks its plugin"), arguments: [true, false])
    func specialCharacters(_ value: Bool) throws {
        let broker = try BrokerProcess.start(
            "plugin mosquitto_acl_file.so\nplugin_opt_acl_file {directory}/acl\n"
                + "auth_plugin_deny_special_chars \(value)\n\(Self.one)", files: ["acl": "pattern write of/%u/#\n"])
        for (user, code) in [("u", 0x10), ("+", 0x87), ("u#", 0x87)] as [(String, UInt8)] {
            let client = try RawClient.connected(to: broker, version: 5, user: user)
            client.send(Wire.publish(topic: "of/u/x", payload: "x", qos: 1, id: 1, properties: []))
            #expect(try client.expect(.puback).reasonCode == code, "\(user)")
        }
    }

    @Test(
        "[plugin_opt_db_file] the SQLite plugin's line keeps what must survive, in that folder",
        .enabled(if: isMartlet, "since 2.1"))
    func persistence() throws {
        let keeper = try BrokerProcess.start(Self.one)  // lends its folder
        let text =
            "plugin mosquitto_persist_sqlite.so\nplugin_opt_db_file \(keeper.directory)/mosquitto.sqlite3\n"
            + "plugin_opt_sync full\nplugin_opt_flush_period 1\nplugin_opt_page_size 8192\n\(Self.one)"
        var broker = try BrokerProcess.start(text)
        try RawClient.connected(to: broker).publish("kept", "x", qos: 1, retain: true)
        broker.signal(9)
        broker.stop()
        broker = try BrokerProcess.start(text)
        #expect(try retained(broker) == ["kept"])
        #expect(access("\(keeper.directory)/martlet.db", F_OK) == 0)
    }
}
