import MQTTClient
import Testing

@testable import Chat

@Suite("Messages") struct MessageTests {
    @Test(
        "§4.1 topics and their quality of service, out and back",
        arguments: [
            (ChatTopic.login, "/chat/login", UInt8(2)), (.logout, "/chat/logout", 2), (.active, "/chat/active", 1),
            (.status(of: "a"), "/chat/user/a/status", 0), (.toPerson("b", from: "a"), "/chat/user/b/message/a", 2),
            (.toGroup("g", from: "a"), "/chat/group/g/message/a", 1),
        ])
    func topics(_ topic: ChatTopic, _ text: String, _ qos: UInt8) {
        #expect(topic.text == text)
        #expect(topic.qos.rawValue == qos)
        #expect(ChatTopic(utf8: Array(text.utf8)) == topic)
    }

    @Test(
        "what is no topic of the chat",
        arguments: [
            "", "/", "/chat", "/chat/x", "chat/login", "/chat/login/", "/chat/user//status", "/chat/user/a/message/",
            "/chat/group/g/message", "/chat/room/g/message/a", "/test",
        ])
    func otherTopics(_ text: String) { #expect(ChatTopic(utf8: Array(text.utf8)) == nil) }

    @Test("[CH-6] a message to us and one to a group are told with all that is known")
    func arriving() throws {
        var alice = try Drive()
        alice.arrive()
        alice.enter("/join g")
        alice.settle()
        alice.told = []
        alice.receive("/chat/user/alice/message/bob", "hi")
        alice.receive("/chat/group/g/message/bob", "hi all")
        alice.receive("/chat/group/other/message/bob", "not for us")
        alice.receive("/chat/user/carol/message/bob", "not for us")
        #expect(
            alice.takeTold() == [
                .privateMessage(from: "bob", "hi"), .groupMessage("g", from: "bob", "hi all", isOwn: false),
            ])
    }

    @Test("[CH-5] sending needs no membership; joining is subscribing, leaving is unsubscribing")
    func sending() throws {
        var alice = try Drive()
        alice.arrive()
        alice.enter("/msg bob hello there")
        alice.enter("and again")
        alice.enter("/group g hi")
        #expect(
            alice.takePublished() == [
                "/chat/user/bob/message/alice hello there 2", "/chat/user/bob/message/alice and again 2",
                "/chat/group/g/message/alice hi 1",
            ])
        alice.enter("/join g")
        #expect(alice.takeAsked() == [.subscribe(.group("g"))])
        alice.conversation.subscribed(.group("g"), codes: [.grantedQoS1], failure: nil, at: alice.now)
        alice.collect()
        #expect(alice.takeTold().last == .joined("g"))
        #expect(alice.remembered == ["g"])
        alice.enter("/leave g")
        #expect(alice.takeAsked() == [.unsubscribe(.group("g"))])
        alice.receive("/chat/group/g/message/bob", "too late")
        alice.conversation.unsubscribed(.group("g"), failure: nil, at: alice.now)
        alice.collect()
        #expect(alice.takeTold() == [.left("g")])
    }

    @Test("what the broker refuses is told with its reason, whatever it was")
    func refusals() throws {
        var alice = try Drive()
        alice.arrive()
        alice.enter("/msg bob hi")
        alice.conversation.published(alice.conversation.lastTicket, isHeard: true, failure: "no", at: alice.now)
        alice.collect()
        #expect(alice.takeTold().last == .notSent(alice.conversation.lastTicket, .person("bob"), "hi", why: "no"))
        alice.enter("/join g")
        alice.conversation.subscribed(.group("g"), codes: [.notAuthorized], failure: nil, at: alice.now)
        alice.collect()
        #expect(alice.takeTold() == [.refused("you may not join g: \(ReasonCode.notAuthorized)")])
        #expect(alice.conversation.groups == [])
        alice.conversation.subscribed(
            .presence, codes: [.grantedQoS2, .grantedQoS1, .notAuthorized, .grantedQoS0], failure: nil, at: alice.now)
        alice.collect()
        #expect(
            alice.takeTold() == [
                .note("the broker grants QoS 1 for /chat/logout, not 2"),
                .refused("you may not read /chat/active: \(ReasonCode.notAuthorized)"),
            ])
    }

    @Test("our own group messages are shown when they are written, not when they come back", arguments: [true, false])
    func echoes(_ hasIdentifiers: Bool) throws {
        var alice = try Drive()
        alice.arrive()
        alice.enter("/join g")
        alice.settle()
        alice.asked = []
        alice.enter("/group g hi")
        guard case .publish(let publication)? = alice.takeAsked().first else {
            Issue.record("nothing was published")
            return
        }
        alice.told = []
        let identifier = hasIdentifiers ? publication.identifier : nil
        alice.receive("/chat/group/g/message/alice", "hi", MessageReceipt(packetIdentifier: 1, identifier: identifier))
        #expect(alice.takeTold() == [])
        // Under our name and not by this program: shown, and marked.
        alice.receive("/chat/group/g/message/alice", "hi", MessageReceipt(packetIdentifier: 2))
        #expect(alice.takeTold() == [.groupMessage("g", from: "alice", "hi", isOwn: true)])
    }

    @Test("a message with an identifier is shown once, however it comes again")
    func duplicatesByIdentifier() throws {
        var alice = try Drive()
        alice.arrive()
        alice.enter("/join g")
        alice.settle()
        alice.told = []
        for packet in UInt16(1)...3 {
            alice.receive(
                "/chat/group/g/message/bob", "hi", MessageReceipt(packetIdentifier: packet, identifier: "b-1"))
        }
        alice.receive("/chat/group/g/message/bob", "hi", MessageReceipt(packetIdentifier: 4, identifier: "b-2"))
        #expect(alice.takeTold().count == 2)
        // Another sender's identifier is another message.
        alice.receive("/chat/group/g/message/carol", "hi", MessageReceipt(packetIdentifier: 5, identifier: "b-1"))
        #expect(alice.takeTold().count == 1)
    }

    @Test("without identifiers: DUP, the same packet identifier and content, on a later connection")
    func duplicatesByPacket() throws {
        var alice = try Drive()
        alice.arrive()
        alice.enter("/join g")
        alice.settle()
        alice.told = []
        func receipt(_ id: UInt16, _ dup: Bool) -> MessageReceipt {
            MessageReceipt(isDuplicate: dup, packetIdentifier: id)
        }
        let topic = "/chat/group/g/message/bob"
        alice.receive(topic, "hi", receipt(1, false))
        alice.receive(topic, "hi", receipt(1, false))  // written twice
        #expect(alice.takeTold().count == 2)
        alice.conversation.waiting("lost", seconds: 1)
        alice.connect(sessionPresent: true)
        alice.told = []
        alice.receive(topic, "hi", receipt(1, true))  // our PUBACK was lost
        #expect(alice.takeTold().count == 0)
        alice.receive(topic, "first seen now", receipt(2, true))  // the first copy was lost
        alice.receive(topic, "other", receipt(1, true))
        #expect(alice.takeTold().count == 2)
    }

    @Test("unread: counted where nobody looks, gone when somebody does")
    func unread() throws {
        var alice = try Drive()
        alice.arrive()
        alice.enter("/join g")
        alice.settle()
        alice.receive("/chat/user/alice/message/bob", "seen")
        #expect(alice.conversation.unread == [:])
        alice.conversation.look(at: .group("g"), isAtEnd: true)
        alice.receive("/chat/user/alice/message/bob", "1")
        alice.receive("/chat/user/alice/message/bob", "2")
        alice.receive("/chat/group/g/message/bob", "seen")
        #expect(alice.conversation.unread == [.person("bob"): 2])
        alice.conversation.look(at: .group("g"), isAtEnd: false)
        alice.receive("/chat/group/g/message/bob", "below")
        #expect(alice.conversation.unread == [.person("bob"): 2, .group("g"): 1])
        alice.conversation.look(at: .person("bob"), isAtEnd: true)
        #expect(alice.conversation.unread == [.group("g"): 1])
        alice.conversation.look(at: nil, isAtEnd: true)
        #expect(alice.conversation.unread == [:])
    }

    @Test("Tab offers commands, people, groups and statuses")
    func completions() throws {
        var alice = try Drive()
        alice.arrive()
        for name in ["bob", "bella", "anna b"] { alice.receive("/chat/login", name) }
        alice.enter("/join garden")
        alice.settle()
        #expect(alice.conversation.completions(of: "/j") == ["/join "])
        #expect(alice.conversation.completions(of: "/msg b") == ["/msg bella ", "/msg bob "])
        #expect(alice.conversation.completions(of: "/msg a") == ["/msg \"anna b\" "])
        #expect(alice.conversation.completions(of: "/group g") == ["/group garden "])
        #expect(alice.conversation.completions(of: "/status d") == ["/status dnd"])
        #expect(alice.conversation.completions(of: "hello b") == [])
    }
}
