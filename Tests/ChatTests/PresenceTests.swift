import MQTTClient
import Testing

@testable import Chat

@Suite("Who is here") struct PresenceTests {
    @Test("[CH-2] subscribe, wait, then log in and say how we are")
    func start() throws {
        var alice = try Drive()
        alice.connect()
        let asked = alice.takeAsked()
        #expect(asked.prefix(2) == [.subscribe(.presence), .subscribe(.inbox)])
        alice.asked = Array(asked.dropFirst(2))
        #expect(alice.takePublished() == ["/chat/login alice 2", "/chat/user/alice/status ONLINE 0"])
        #expect(
            Listening.presence.filters(for: "alice").map { "\($0.filter) \($0.qos.rawValue)" } == [
                "/chat/login 2", "/chat/logout 2", "/chat/active 1", "/chat/user/+/status 0",
            ])
        #expect(Listening.inbox.filters(for: "alice").map(\.filter) == ["/chat/user/alice/message/+"])
    }

    @Test("[CH-3] a login is told once and answered every time; an answer adds a person once")
    func logins() throws {
        var alice = try Drive()
        alice.arrive()
        alice.receive("/chat/login", "bob")
        #expect(alice.takeTold() == [.login("bob")])
        #expect(alice.takePublished() == ["/chat/active alice 1"])
        alice.receive("/chat/login", "bob")
        alice.receive("/chat/active", "bob")
        #expect(alice.takeTold() == [])
        #expect(alice.takePublished() == ["/chat/active alice 1"])
        alice.receive("/chat/active", "carol")
        alice.receive("/chat/active", "carol", MessageReceipt(isDuplicate: true, packetIdentifier: 3))
        #expect(alice.takeTold() == [.active("carol")])
        alice.receive("/chat/logout", "bob")
        alice.receive("/chat/logout", "bob")
        #expect(alice.takeTold() == [.logout("bob", isPresumed: false)])
        #expect(alice.conversation.peopleHere.map(\.name) == ["alice", "carol"])
    }

    @Test("[CH-4] the list comes once, after the answers, and whenever asked for")
    func list() throws {
        var alice = try Drive()
        alice.connect()
        alice.settle()
        alice.receive("/chat/active", "carol")
        alice.receive("/chat/active", "bob")
        alice.receive("/chat/active", "bob")
        #expect(alice.takeTold() == [.connected(sessionPresent: false), .loggedIn])
        alice.pass(Conversation.listDelay)
        let people = alice.conversation.peopleHere
        #expect(people.map(\.name) == ["alice", "bob", "carol"])
        #expect(people.map(\.isOurselves) == [true, false, false])
        #expect(alice.takeTold() == [.people(people)])
        alice.enter("/who")
        #expect(alice.takeTold() == [.people(people)])
    }

    @Test("[CH-4] a connection that is lost before the list only delays it")
    func lateList() throws {
        var alice = try Drive()
        alice.connect()
        alice.settle()
        alice.conversation.waiting("lost", seconds: 1)
        alice.pass(Conversation.listDelay)
        #expect(alice.takeTold().filter { if case .people = $0 { true } else { false } } == [])
        alice.connect(sessionPresent: true)
        alice.settle()
        alice.pass(Conversation.listDelay)
        #expect(alice.takeTold().last == .people(alice.conversation.peopleHere))
    }

    @Test("what a kept session brings of the past is neither shown nor answered, up to the echo of our login")
    func past() throws {
        var alice = try Drive()
        alice.connect(sessionPresent: true)
        alice.asked = []
        alice.receive("/chat/login", "bob")
        alice.receive("/chat/login", "carol")
        alice.receive("/chat/logout", "bob")
        #expect(alice.takePublished() == [])
        alice.receive("/chat/login", "alice")
        #expect(alice.takeTold() == [.connected(sessionPresent: true), .loggedIn])
        #expect(alice.conversation.peopleHere.map(\.name) == ["alice"])
        alice.receive("/chat/login", "dora")
        #expect(alice.takePublished() == ["/chat/active alice 1"])
    }

    @Test("where /chat/login may not be read, the present begins a little after the acknowledgement")
    func withoutEcho() throws {
        var alice = try Drive()
        alice.connect()
        for action in alice.takeAsked() {
            guard case .publish(let publication) = action, publication.topic == .login else { continue }
            alice.conversation.published(publication.ticket, isHeard: true, failure: nil, at: alice.now)
        }
        alice.pass(.milliseconds(1_900))
        #expect(alice.conversation.phase == .catchingUp(isFirst: true))
        alice.pass(.milliseconds(200))
        #expect(alice.conversation.phase == .present)
    }

    @Test("a login that is refused is told with the reason, and the chat goes on")
    func refusedLogin() throws {
        var alice = try Drive()
        alice.connect()
        for action in alice.takeAsked() {
            guard case .publish(let publication) = action, publication.topic == .login else { continue }
            alice.conversation.published(publication.ticket, isHeard: true, failure: "not authorized", at: alice.now)
        }
        alice.pass(.zero)
        #expect(alice.told.contains(.refused("the others were not told that you are here: not authorized")))
        #expect(alice.conversation.phase == .present)
    }

    @Test("after a reconnection we log in again; who gives no sign of life for ten seconds is gone")
    func reconnection() throws {
        var alice = try Drive()
        alice.arrive()
        for name in ["bob", "carol"] { alice.receive("/chat/login", name) }
        alice.takeToldAndAsked()
        alice.conversation.waiting("lost", seconds: 1)
        alice.connect(sessionPresent: true)
        #expect(alice.takePublished() == ["/chat/login alice 2", "/chat/user/alice/status ONLINE 0"])
        // Missed meanwhile: told, since it is news to us, and not answered, since all hear our login.
        alice.receive("/chat/login", "dora")
        #expect(alice.takePublished() == [])
        alice.receive("/chat/login", "alice")
        alice.receive("/chat/active", "bob")
        alice.pass(Conversation.confirmWait - .seconds(1))
        #expect(alice.conversation.peopleHere.map(\.name) == ["alice", "bob", "carol", "dora"])
        alice.told = []
        alice.pass(.seconds(2))
        #expect(alice.takeTold() == [.logout("carol", isPresumed: true)])
    }

    @Test("our own will that comes late is answered by another login, at most every five seconds")
    func ownLogout() throws {
        var alice = try Drive()
        alice.arrive()
        alice.receive("/chat/logout", "alice")
        alice.receive("/chat/logout", "alice")
        #expect(alice.takePublished().filter { $0.hasPrefix("/chat/login") }.count == 1)
        alice.pass(.seconds(6))
        alice.receive("/chat/logout", "alice")
        #expect(alice.takePublished().filter { $0.hasPrefix("/chat/login") }.count == 1)
    }

    @Test("[CH-8] a status is told when it changes; one that overtakes the login waits; nonsense is noted once")
    func statuses() throws {
        var alice = try Drive()
        alice.arrive()
        alice.receive("/chat/user/bob/status", "AWAY")
        #expect(alice.takeTold() == [])
        alice.receive("/chat/login", "bob")
        #expect(alice.conversation.peopleHere.last?.status == .away)
        alice.told = []
        alice.receive("/chat/user/bob/status", "AWAY")
        #expect(alice.takeTold() == [])
        alice.receive("/chat/user/bob/status", "DO NOT DISTURB")
        #expect(alice.takeTold() == [.status("bob", .doNotDisturb)])
        alice.receive("/chat/user/bob/status", "busy\u{1B}[2J")
        alice.receive("/chat/user/bob/status", "busy\u{1B}[2J")
        #expect(alice.takeTold() == [.note("bob sent a status that is none: busy␛[2J")])
        alice.asked = []
        alice.enter("/status away")
        #expect(alice.takePublished() == ["/chat/user/alice/status AWAY 0"])
        alice.receive("/chat/login", "carol")
        #expect(alice.takePublished() == ["/chat/active alice 1", "/chat/user/alice/status AWAY 0"])
    }

    @Test("[CH-9] a login without a proper name is noted and adds nobody", arguments: ["", "a/b", "a+", "#", "a\u{7}"])
    func names(_ name: String) throws {
        var alice = try Drive()
        alice.arrive()
        alice.receive("/chat/login", name)
        #expect(alice.conversation.peopleHere.count == 1)
        #expect(alice.takePublished() == [])
        #expect(alice.takeTold().count == 1)
    }

    @Test("[CH-7] leaving: groups, logout, presence, goodbye; at most two seconds without an answer")
    func leaving() throws {
        var alice = try Drive()
        alice.arrive()
        alice.enter("/join g")
        alice.settle()
        alice.takeToldAndAsked()
        alice.enter("/quit")
        let asked = alice.takeAsked()
        #expect(asked.first == .unsubscribe(.group("g")))
        #expect(asked.suffix(2) == [.unsubscribe(.presence), .finish])
        alice.asked = asked
        #expect(alice.takePublished() == ["/chat/logout alice 2"])
        alice.pass(.seconds(1))
        alice.conversation.unsubscribed(.group("g"), failure: nil, at: alice.now)
        alice.pass(.milliseconds(1_900))
        #expect(!alice.takeAsked().contains(.close(withWill: true)))
        // The logout could not be said: the broker's will says it.
        alice.pass(.milliseconds(200))
        #expect(alice.takeAsked() == [.close(withWill: true)])
        #expect(alice.remembered == [])
    }

    @Test("--stay keeps the groups over the logout, and the next start shows that it is in them")
    func staying() throws {
        var alice = try Drive(stays: true)
        alice.arrive()
        alice.enter("/join g")
        alice.settle()
        alice.enter("/quit")
        #expect(!alice.takeAsked().contains(.unsubscribe(.group("g"))))
        #expect(alice.remembered == ["g"])
        var again = try Drive(groups: ["g"], stays: true)
        again.connect(sessionPresent: true)
        again.settle()
        #expect(again.told.contains(.joined("g")))
        #expect(again.conversation.groups == ["g"])
    }

    @Test("a group that the broker's session is in and we do not show is left, once")
    func staleGroup() throws {
        var alice = try Drive(groups: ["mine"])
        alice.connect(sessionPresent: true)
        alice.asked = []
        for topic in ["/chat/group/mine/message/bob", "/chat/group/old/message/bob", "/chat/group/old/message/bob"] {
            alice.conversation.noticed(topic: Array(topic.utf8))
        }
        alice.collect()
        #expect(alice.takeAsked() == [.abandon("old")])
    }
}

extension Drive {
    mutating func takeToldAndAsked() {
        told = []
        asked = []
    }
}
