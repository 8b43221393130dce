/// Messages of others: each shown at once, once, and counted as unread where nobody looks. [CH-6]
extension Conversation {
    /// A message has come.
    package mutating func receive(topic: [UInt8], payload: [UInt8], receipt: MessageReceipt, at now: Instant) {
        guard phase != .over else { return }
        guard let topic = ChatTopic(utf8: topic) else {
            return complain("a message came on a topic that is none of the chat's")
        }
        let text = String(decoding: payload, as: UTF8.self)
        switch topic {
        case .login, .logout, .active:
            let person: ChatName
            do throws(ChatName.Fault) {
                person = try ChatName(utf8: payload)
            } catch {
                return complain("somebody on \(topic.text) has no name: \(error)")  // [CH-9]
            }
            switch topic {
            case .login: receiveLogin(person, at: now)
            case .logout: receiveLogout(person, at: now)
            default: receiveActive(person)
            }
        case .status(let person): receiveStatus(person, text)
        case .toPerson(let receiver, let sender):
            guard receiver == name, !seen.isRepeated(topic, text, receipt: receipt, connection: connection) else {
                return
            }
            tell(.privateMessage(from: sender, text))
            count(.person(sender))
        case .toGroup(let group, let sender): receive(topic, group, sender, text, receipt)
        }
        arm()
    }

    private mutating func receive(
        _ topic: ChatTopic, _ group: ChatName, _ sender: ChatName, _ text: String, _ receipt: MessageReceipt
    ) {
        guard let membership = memberships[group], membership != .leaving else { return }
        if sender == name, let at = echoes.firstIndex(where: { $0.isEcho(group, text, receipt.identifier) }) {
            // Shown when it was written; remembered, since it may come twice as well. [CH-5]
            echoes.remove(at: at)
            _ = seen.isRepeated(topic, text, receipt: receipt, connection: connection)
            return
        }
        guard !seen.isRepeated(topic, text, receipt: receipt, connection: connection) else { return }
        // Ours, and its echo has been: "at least once".
        if sender == name, let identifier = receipt.identifier, identifier.hasPrefix(nonce + "-") { return }
        tell(.groupMessage(group, from: sender, text, isOwn: sender == name))
        count(.group(group))
    }

    /// A PUBLISH was seen on the wire, whether or not we listen: the broker's session may be in groups that we are not in, from a
    /// run that was killed elsewhere. We are in what we show and in nothing else, so they are left.
    package mutating func noticed(topic: [UInt8]) {
        guard case .toGroup(let group, _)? = ChatTopic(utf8: topic), memberships[group] == nil, phase != .over,
            phase != .leaving, complaints.count < 100, complaints.insert("stale \(group)").inserted
        else { return }
        actions.append(.abandon(group))
        tell(.note("the broker still had you in \(group) from an earlier time; you have left it"))
    }

    // MARK: Unread

    private mutating func count(_ place: Place) {
        guard !isAtEnd || (view != nil && view != place) else { return }
        unread[place, default: 0] += 1
    }

    /// What is on the screen: a place or everything, and whether its end is in sight.
    package mutating func look(at view: Place?, isAtEnd: Bool) {
        self.view = view
        self.isAtEnd = isAtEnd
        guard isAtEnd else { return }
        if let view { unread[view] = nil } else { unread = [:] }
    }
}

extension Conversation.Echo {
    func isEcho(_ group: ChatName, _ text: String, _ identifier: String?) -> Bool {
        guard group == self.group else { return false }
        // 3.1.1 has no user properties: there the text must do.
        return identifier.map { $0 == self.identifier } ?? (text == self.text)
    }
}
