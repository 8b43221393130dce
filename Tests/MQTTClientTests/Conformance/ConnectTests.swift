import MQTTClient
import MQTTProtocol
import Testing

/// What the standards demand of a client's CONNECT, and of what it makes of CONNACK.
@Suite("Client conformance: CONNECT and CONNACK")
struct ConnectTests {
    private static let both = [ProtocolVersion.v311, .v5]

    private static func configuration(_ version: ProtocolVersion = .v5) -> ClientConfiguration {
        ClientConfiguration(clientIdentifier: "c", version: version)
    }

    @Test(
        "[3.1.1 MQTT-3.1.0-1] [5.0 MQTT-3.1.0-1] [3.1.1 MQTT-3.1.3-3] [5.0 MQTT-3.1.3-3] [3.1.1 MQTT-3.1.2-11] [3.1.1 MQTT-3.1.2-13] [3.1.1 MQTT-3.1.2-15] [3.1.1 MQTT-3.1.2-18] [3.1.1 MQTT-3.1.2-20] [5.0 MQTT-3.1.2-11] [5.0 MQTT-3.1.2-13] [5.0 MQTT-3.1.2-16] [5.0 MQTT-3.1.2-18] the first packet is CONNECT; without will, user and password there is nothing of them",
        arguments: both)
    func plain(version: ProtocolVersion) throws {
        var bench = try Bench(Self.configuration(version))
        try bench.publish(Message("a", "b"), as: 1)
        bench.open()
        let properties: [UInt8] = version == .v5 ? [3, 0x22, 0, 16] : []
        let body: [UInt8] = [0, 4] + Array("MQTT".utf8) + [version.rawValue, 0x02, 0, 60] + properties + [0, 1, 0x63]
        #expect(bench.wire == [[0x10, UInt8(body.count)] + body])
    }

    @Test(
        "[3.1.1 MQTT-3.1.3-1] [5.0 MQTT-3.1.3-1] [3.1.1 MQTT-3.1.2-9] [5.0 MQTT-3.1.2-9] [3.1.1 MQTT-3.1.2-19] [3.1.1 MQTT-3.1.2-21] [5.0 MQTT-3.1.2-17] [5.0 MQTT-3.1.2-19] [3.1.1 MQTT-3.1.2-14] [5.0 MQTT-3.1.2-12] the payload's order: identifier, will, user name, password",
        arguments: both)
    func everything(version: ProtocolVersion) throws {
        var configuration = Self.configuration(version)
        configuration.cleanStart = false
        configuration.topicAliasMaximum = 0
        configuration.userName = "u"
        configuration.password = [0xFF, 0x00]
        configuration.will = ClientWill(Message("w", [1, 2], qos: .exactlyOnce, retain: true))
        var bench = try Bench(configuration)
        bench.open()
        let none: [UInt8] = version == .v5 ? [0] : []
        var body: [UInt8] =
            [0, 4] + Array("MQTT".utf8) + [version.rawValue, 0b1111_0100, 0, 60] + none + [0, 1, 0x63]
        body += none + [0, 1, 0x77, 0, 2, 1, 2]
        body += [0, 1, 0x75, 0, 2, 0xFF, 0x00]
        #expect(bench.wire == [[0x10, UInt8(body.count)] + body])
    }

    @Test("every property of CONNECT and of the will arrives as it was given")
    func properties() throws {
        var configuration = Self.configuration()
        configuration.sessionExpiryIntervalSeconds = 7
        configuration.receiveMaximum = 9
        configuration.maximumPacketSize = 1_000
        configuration.topicAliasMaximum = 3
        configuration.requestResponseInformation = true
        configuration.requestProblemInformation = false
        configuration.userProperties = [ClientUserProperty("a", "1"), ClientUserProperty("a", "2")]
        configuration.authenticationMethod = "M"
        var message = Message("w", "p")
        message.properties.contentType = "t"
        message.properties.messageExpiryIntervalSeconds = 5
        message.properties.responseTopic = "r"
        message.properties.userProperties = [ClientUserProperty("n", "v")]
        configuration.will = ClientWill(message, delayIntervalSeconds: 11)
        var bench = try Bench(configuration)
        bench.open(data: [1, 2, 3])
        let connect = try #require(bench.take().first?.connect)
        #expect(connect.properties.sessionExpiryIntervalSeconds == 7)
        #expect(connect.properties.receiveMaximum == 9)
        #expect(connect.properties.maximumPacketSize == 1_000)
        #expect(connect.properties.topicAliasMaximum == 3)
        #expect(connect.properties.requestResponseInformation == true)
        #expect(connect.properties.requestProblemInformation == false)
        #expect(connect.properties.userProperties.map(\.value) == ["1", "2"])
        #expect(connect.properties.authenticationMethod == "M")
        #expect(connect.properties.authenticationData == [1, 2, 3])
        #expect(connect.will?.delayIntervalSeconds == 11)
        #expect(connect.will?.messageExpiryIntervalSeconds == 5)
        #expect(connect.will?.forwardedProperties.isEmpty == false)
    }

    @Test(
        "[3.1.1 MQTT-3.1.3-7] [3.1.1 MQTT-3.1.2-22] [3.1.1 MQTT-3.1.3-4] [5.0 MQTT-3.1.3-4] [3.1.1 MQTT-3.1.3-11] [5.0 MQTT-3.1.3-12] [3.1.1 MQTT-3.1.3-10] [5.0 MQTT-3.1.3-11] what may not be sent is refused before a connection is made"
    )
    func refusedAtHome() throws {
        var empty = ClientConfiguration(clientIdentifier: "", version: .v311)
        empty.cleanStart = false
        var password = Self.configuration(.v311)
        password.password = [1]
        var userName = Self.configuration()
        userName.userName = "\0"
        var method = Self.configuration(.v311)
        method.authenticationMethod = "M"
        var will = Self.configuration()
        will.will = ClientWill(Message("w", [UInt8](repeating: 0, count: 65_536)))
        var quota = Self.configuration()
        quota.receiveMaximum = 0
        for configuration in [
            empty, password, userName, method, will, quota, ClientConfiguration(clientIdentifier: "\0"),
            ClientConfiguration(clientIdentifier: String(repeating: "x", count: 65_536)),
        ] {
            #expect(throws: ClientError.self) { _ = try Bench(configuration) }
        }
        var passwordAlone = Self.configuration()
        passwordAlone.password = [1]
        _ = try Bench(passwordAlone)
    }

    @Test("[5.0 MQTT-3.2.2-1] reserved bits of CONNACK: malformed", arguments: both)
    func reservedBits(version: ProtocolVersion) throws {
        var bench = try Bench(Self.configuration(version))
        bench.open()
        bench.receive(bytes: version == .v5 ? [0x20, 3, 2, 0, 0] : [0x20, 2, 2, 0])
        #expect(bench.closes == [.malformedPacket(.connackReservedFlags)])
        #expect(bench.take().last?.disconnect?.reasonCode == (version == .v5 ? .malformedPacket : nil))
    }

    @Test(
        "[5.0 MQTT-3.2.2-4] [3.1.1 MQTT-3.1.2-6] [5.0 MQTT-3.1.2-4] a session nobody has is present: closed",
        arguments: both)
    func sessionPresent(version: ProtocolVersion) throws {
        var bench = try Bench(Self.configuration(version))
        bench.open()
        bench.receive(.connack(Connack(sessionPresent: true, reasonCode: .success)))
        #expect(bench.closes == [.sessionPresentUnexpected])
        #expect(bench.session.state == .disconnected)
    }

    @Test("[5.0 MQTT-4.13.2-1] a refusal ends the connection, with code, reason and reference")
    func refusal() throws {
        var bench = try Bench(Self.configuration())
        bench.open()
        var properties = Connack.Properties()
        properties.reasonString = "why"
        properties.serverReference = "there:1883"
        bench.receive(.connack(Connack(sessionPresent: false, reasonCode: .serverMoved, properties: properties)))
        #expect(
            bench.closes == [
                .connectionRefused(.serverMoved, reasonString: "why", serverReference: "there:1883")
            ])
        #expect(bench.closes[0]?.isTransient == false)
    }

    @Test(
        "[3.1.1 MQTT-3.1.2-4] [3.1.1 MQTT-3.1.3-2] [5.0 MQTT-3.1.3-2] [5.0 MQTT-3.1.2-23] [3.1.1 MQTT-4.1.0-1] the session is taken up under its identifier by the next connection",
        arguments: both)
    func resumes(version: ProtocolVersion) throws {
        var configuration = ClientConfiguration(clientIdentifier: version == .v5 ? "" : "c", version: version)
        configuration.cleanStart = version == .v5
        configuration.sessionExpiryIntervalSeconds = version == .v5 ? 100 : 0
        var bench = try Bench(configuration)
        bench.connect { if version == .v5 { $0.assignedClientIdentifier = "given" } }
        try bench.publish(Message("a", "b", qos: .atLeastOnce), as: 1)
        bench.lose()
        _ = bench.take()
        bench.open()
        let connect = try #require(bench.take().first?.connect)
        #expect(connect.cleanStart == false)
        #expect(connect.clientIdentifier == (version == .v5 ? "given" : "c"))
        bench.receive(.connack(Connack(sessionPresent: true, reasonCode: .success)))
        #expect(bench.take().first?.publish?.duplicate == true)
    }

    @Test(
        "[5.0 MQTT-3.1.2-21] [5.0 MQTT-3.2.2-21] [3.1.1 MQTT-3.1.2-23] [5.0 MQTT-3.1.2-20] the server's keep-alive replaces ours",
        arguments: both)
    func keepAlive(version: ProtocolVersion) throws {
        var bench = try Bench(Self.configuration(version))
        bench.connect { if version == .v5 { $0.serverKeepAliveSeconds = 2 } }
        let seconds = version == .v5 ? 2 : 60
        _ = bench.take()
        bench.wait(.seconds(seconds) - .milliseconds(1))
        #expect(bench.take() == [])
        bench.wait(.milliseconds(1))
        #expect(bench.take() == [.pingreq(Pingreq())])
        bench.receive(.pingresp(Pingresp()))
        bench.wait(.seconds(seconds))
        #expect(bench.take() == [.pingreq(Pingreq())])
        bench.wait(.seconds(10))
        #expect(bench.closes == [.keepAliveTimedOut])
    }

    @Test(
        "[3.1.1 MQTT-3.14.4-1] [3.1.1 MQTT-3.14.4-2] [5.0 MQTT-3.14.4-1] [5.0 MQTT-3.14.4-2] after DISCONNECT nothing is sent, and the link is closed",
        arguments: both)
    func disconnect(version: ProtocolVersion) throws {
        var bench = try Bench(Self.configuration(version))
        bench.connect()
        try bench.disconnect()
        try bench.publish(Message("a", "b"), as: 1)
        try bench.publish(Message("a", "b", qos: .exactlyOnce), as: 2)
        bench.receive(.pingresp(Pingresp()))
        #expect(bench.wire.last == [0xE0, 0])
        #expect(bench.closes == [nil])
    }

    @Test(
        "[5.0 MQTT-3.14.2-1] [5.0 MQTT-3.14.2-3] [5.0 MQTT-3.14.2-4] DISCONNECT: its own codes only, explanations only where they fit"
    )
    func disconnectContent() throws {
        var bench = try Bench(Self.configuration())
        bench.connect { $0.maximumPacketSize = 10 }
        #expect(throws: ClientError.self) { try bench.disconnect(.serverBusy) }
        #expect(throws: ClientError.self) { try bench.disconnect(expiry: 5) }
        try bench.disconnect(.disconnectWithWill, reason: "a long explanation that does not fit")
        #expect(bench.wire.last == [0xE0, 1, 4])
    }

    @Test(
        "[5.0 MQTT-3.1.2-30] [5.0 MQTT-4.12.0-3] [5.0 MQTT-4.12.0-5] [5.0 MQTT-3.15.1-1] [5.0 MQTT-3.15.2-1] [5.0 MQTT-3.15.2-2] [5.0 MQTT-3.15.2-3] enhanced authentication: AUTH 0x18 until CONNACK, the method of CONNECT, nothing else"
    )
    func authenticates() throws {
        var configuration = Self.configuration()
        configuration.authenticationMethod = "M"
        var bench = try Bench(configuration)
        try bench.publish(Message("a", "b"), as: 1)
        bench.open(data: [1])
        _ = bench.take()
        bench.receive(
            .auth(Auth(reasonCode: .continueAuthentication, authenticationMethod: "M", authenticationData: [2])))
        #expect(bench.challenges == [[2]])
        try bench.authenticate([3])
        #expect(bench.wire.last == [0xF0, 10, 0x18, 8, 0x15, 0, 1, 0x4D, 0x16, 0, 1, 3])
        #expect(bench.take().count == 1)
        var properties = Connack.Properties()
        properties.authenticationMethod = "M"
        bench.receive(.connack(Connack(sessionPresent: false, reasonCode: .success, properties: properties)))
        #expect(bench.session.state == .connected)
        #expect(bench.take().count == 1)
    }

    @Test("[5.0 MQTT-4.12.0-5] [5.0 MQTT-4.12.0-7] another method, or none: closed, and never an AUTH of ours")
    func otherMethod() throws {
        for method: MQTTString? in [nil, "N"] {
            var configuration = Self.configuration()
            configuration.authenticationMethod = "M"
            var bench = try Bench(configuration)
            bench.open()
            var properties = Connack.Properties()
            properties.authenticationMethod = method
            bench.receive(.connack(Connack(sessionPresent: false, reasonCode: .success, properties: properties)))
            #expect(bench.take().last?.disconnect?.reasonCode == .protocolError)
        }
        var bench = try Bench(Self.configuration())
        bench.connect()
        #expect(throws: ClientError.self) { try bench.reauthenticate([1], as: 1) }
        bench.receive(.auth(Auth(reasonCode: .continueAuthentication, authenticationMethod: "M")))
        #expect(bench.take().last?.disconnect?.reasonCode == .protocolError)
    }

    @Test(
        "[5.0 MQTT-4.12.1-1] [5.0 MQTT-4.12.1-2] re-authentication: AUTH 0x19 with the method of CONNECT; a refusal ends the connection"
    )
    func reauthenticates() throws {
        var configuration = Self.configuration()
        configuration.authenticationMethod = "M"
        var bench = try Bench(configuration)
        bench.connect { $0.authenticationMethod = "M" }
        _ = bench.take()
        try bench.reauthenticate([9], as: 5)
        guard case .auth(let auth)? = bench.take().last else { throw ScriptedPeer.Unexpected(description: "no AUTH") }
        #expect(auth == Auth(reasonCode: .reauthenticate, authenticationMethod: "M", authenticationData: [9]))
        bench.receive(.auth(Auth(reasonCode: .success, authenticationMethod: "M")))
        #expect(bench.completed[5] == .authenticated)
        try bench.reauthenticate(nil, as: 6)
        bench.receive(.disconnect(Disconnect(reasonCode: .notAuthorized)))
        #expect(bench.completed[6] == .failed(.notConnected))
        #expect(bench.closes == [.disconnectedByServer(.notAuthorized, reasonString: nil, serverReference: nil)])
    }
}
