import Foundation
import MQTTClient
import MQTTProtocol
import MQTTTestKit
import SeededRandom
import Testing

/// What a client does besides messages: authentication, questions, waiting for a broker, keeping messages, leaving.
@Suite("MQTTClient's life", .timeLimit(.minutes(10)))
struct LifeTests {
    /// Answers a challenge with its bytes reversed.
    struct Reversing: Authenticator {
        var method: String { "REVERSE" }
        func begin() async throws -> [UInt8]? { [1] }
        func respond(to challenge: [UInt8]?) async throws -> [UInt8]? { challenge?.reversed() }
    }

    struct Refusing: Authenticator {
        var method: String { "REVERSE" }
        func begin() async throws -> [UInt8]? { nil }
        func respond(to challenge: [UInt8]?) async throws -> [UInt8]? {
            throw ScriptedPeer.Unexpected(description: "no key")
        }
    }

    private static func challenge(_ connection: ScriptedPeer.Connection) throws {
        try connection.send(
            .auth(
                Auth(
                    reasonCode: .continueAuthentication, authenticationMethod: "REVERSE", authenticationData: [1, 2, 3])
            ))
    }

    @Test("enhanced authentication through the client, and once more")
    func authenticates() async throws {
        let peer = try ScriptedPeer([
            { connection in
                let connect = try connection.expect(.connect).connect
                guard connect?.properties.authenticationData == [1] else {
                    throw ScriptedPeer.Unexpected(description: "data")
                }
                try Self.challenge(connection)
                guard case .auth(let answer) = try connection.expect(.auth), answer.authenticationData == [3, 2, 1]
                else {
                    throw ScriptedPeer.Unexpected(description: "answer")
                }
                var properties = Connack.Properties()
                properties.authenticationMethod = "REVERSE"
                try connection.send(
                    .connack(Connack(sessionPresent: false, reasonCode: .success, properties: properties)))
                _ = try connection.expect(.auth)
                try Self.challenge(connection)
                _ = try connection.expect(.auth)
                try connection.send(.auth(Auth(reasonCode: .success, authenticationMethod: "REVERSE")))
                _ = try connection.expect(.disconnect)
            }
        ])
        try await MQTTClient.withConnection(
            to: .tcp("127.0.0.1", port: peer.port), authenticator: Reversing()
        ) { try await $0.reauthenticate() }
        #expect(await peer.finish() == nil)
    }

    @Test("an authenticator that gives up ends the client with its reason")
    func authenticatorFails() async throws {
        let peer = try ScriptedPeer([
            { connection in
                _ = try connection.expect(.connect)
                try Self.challenge(connection)
                _ = try connection.expect(.disconnect)
                try connection.expectClosed()
            }
        ])
        let client = try MQTTClient(.tcp("127.0.0.1", port: peer.port), authenticator: Refusing())
        await #expect { try await client.run() } throws: { "\($0)".contains("no key") }
        #expect(await peer.finish() == nil)
    }

    @Test("a question and its answer, and one that nobody answers")
    func request() async throws {
        let broker = try BrokerProcess.start()
        let endpoint = Endpoint.tcp("127.0.0.1", port: Int(broker.port))
        try await MQTTClient.withConnection(to: endpoint) { service in
            let questions = try await service.subscribe(to: "q", qos: .atLeastOnce)
            async let answering: Void = {
                for try await question in questions {
                    let topic = try #require(question.properties.responseTopic)
                    var answer = Message(topic, question.payload.reversed())
                    answer.properties.correlationData = question.properties.correlationData
                    try await service.publish(answer)
                }
            }()
            try await MQTTClient.withConnection(to: endpoint) { client in
                let answer = try await client.request("q", [1, 2, 3], timeout: .seconds(60))
                #expect(answer.payload == [3, 2, 1])
                await #expect(throws: ClientError.timedOut) {
                    try await client.request("nobody", [1], timeout: .milliseconds(100))
                }
            }
            service.close()
            try await answering
        }
        broker.stop()
    }

    @Test("a broker that comes later: a client that retries waits for it, others fail at once")
    func later() async throws {
        let port = try #require(Loopback.freePort())
        let endpoint = Endpoint.tcp("127.0.0.1", port: Int(port))
        let policy = ReconnectPolicy(
            backoff: Backoff(baseMilliseconds: 10, maximumMilliseconds: 100), retriesFirstConnection: true)
        let client = try MQTTClient(endpoint, reconnect: policy)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await client.run() }
            let early = Task { () throws(ClientError) in try await client.publish(Message("a", "b", qos: .atLeastOnce))
            }
            for await state in client.states { if case .waiting = state { break } }
            let broker = try BrokerProcess.start(
                "listener {port} 127.0.0.1\nlistener \(port) 127.0.0.1\nallow_anonymous true\n")
            #expect(try await early.value.reasonCode.isError == false)
            group.cancelAll()
            try await group.waitForAll()
            broker.stop()
        }
        #expect(client.state == .closed(nil))
        let other = try MQTTClient(endpoint)
        await #expect(throws: ClientError.self) { try await other.run() }
        // And after the end everything fails, nothing hangs.
        await #expect(throws: ClientError.self) { try await other.publish(Message("a", "b")) }
        await #expect(throws: ClientError.closed) { try await client.subscribe(to: "a") }
    }

    @Test("messages that no connection could take survive the process, in order, once acknowledged they are gone")
    func store() async throws {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent(
            "store-\(UInt64.random(in: 0...(.max)))"
        ).path
        defer { unlink(path) }
        let policy = ReconnectPolicy(
            backoff: Backoff(baseMilliseconds: 10, maximumMilliseconds: 50), retriesFirstConnection: true)
        // A process that never reaches its broker.
        try await MQTTClient.withConnection(
            to: .tcp("127.0.0.1", port: 1), reconnect: policy, store: MessageStore(path: path)
        ) {
            client in
            for number in 0..<100 {
                var message = Message("kept", bytes(number), qos: number % 2 == 0 ? .atLeastOnce : .exactlyOnce)
                message.properties.contentType = "n"
                client.send(message)
            }
            #expect(throws: ClientError.self) {
                _ = try MQTTClient(.tcp("127.0.0.1"), store: MessageStore(path: path))
            }
            _ = try? await client.request("x", [], timeout: .milliseconds(100))
        }
        // A record that a crash has cut.
        let handle = try #require(FileHandle(forWritingAtPath: path))
        try handle.seekToEnd()
        handle.write(Data([0, 0, 0, 99, 1, 2]))
        try handle.close()
        let broker = try BrokerProcess.start()
        let endpoint = Endpoint.tcp("127.0.0.1", port: Int(broker.port))
        try await MQTTClient.withConnection(to: endpoint) { reader in
            var iterator = try await reader.subscribe(to: "kept", qos: .exactlyOnce).makeAsyncIterator()
            try await MQTTClient.withConnection(to: endpoint, store: MessageStore(path: path)) { client in
                for expected in 0..<100 {
                    let message = try #require(try await iterator.next())
                    #expect(number(message.payload) == expected)
                    #expect(message.properties.contentType == "n")
                }
                try await client.publish(Message("last", "x", qos: .exactlyOnce))
            }
        }
        #expect(try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int == 0)
        broker.stop()
    }

    @Test(
        "cancelled anywhere, a hundred times: nothing hangs, nothing is left in flight",
        arguments: 0..<4 as Range<UInt64>)
    func cancelledAnywhere(seed: UInt64) async throws {
        let broker = try BrokerProcess.start()
        var random = SeededGenerator(seed: seed + 1)
        try await MQTTClient.withConnection(to: .tcp("127.0.0.1", port: Int(broker.port))) { client in
            for _ in 0..<100 {
                let (yields, isPublish) = (random.next() % 40, random.next() % 2 == 0)
                let task = Task {
                    if isPublish {
                        _ = try? await client.publish(Message("c", "x", qos: .exactlyOnce))
                    } else if let subscription = try? await client.subscribe(to: "c") {
                        for try await _ in subscription {}
                    }
                }
                for _ in 0..<yields { await Task.yield() }
                task.cancel()
                _ = await task.result
            }
            // Everything still works.
            var iterator = try await client.subscribe(to: "after").makeAsyncIterator()
            try await client.publish(Message("after", "y", qos: .exactlyOnce))
            #expect(try await iterator.next()?.text == "y")
        }
        broker.stop()
    }

    @Test("three hundred connections one after another leave no file descriptor behind", .timeLimit(.minutes(10)))
    func leaks() async throws {
        let broker = try BrokerProcess.start()
        func descriptors() throws -> Int { try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count }
        let endpoint = Endpoint.tcp("127.0.0.1", port: Int(broker.port))
        for _ in 0..<20 { try await MQTTClient.withConnection(to: endpoint) { _ in } }
        let before = try descriptors()
        for _ in 0..<300 { try await MQTTClient.withConnection(to: endpoint) { _ in } }
        #expect(try descriptors() <= before + 5)
        broker.stop()
    }
}
