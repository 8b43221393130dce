import MQTTClient

/// What the conversation asks of the broker, done in order and one after another: the next when the one before was answered, over
/// reconnections too. So messages arrive in the order they were written, and a group is joined before it is written to.
struct Outbox {
    enum Answer: Sendable {
        /// `failure`: why there is no subscription.
        case subscribed(Listening, Subscription?, String?)
        case unsubscribed(Listening, String?)
        case published(Int, isHeard: Bool, String?)
        case done
    }

    private let client: MQTTClient
    private let name: ChatName
    private var subscriptions: [Listening: Subscription] = [:]

    init(client: MQTTClient, name: ChatName) {
        self.client = client
        self.name = name
    }

    mutating func perform(_ action: ChatAction) async -> Answer {
        switch action {
        case .subscribe(let listening): return await subscribe(listening)
        case .unsubscribe(let listening):
            do throws(ClientError) {
                try await subscriptions.removeValue(forKey: listening)?.unsubscribe()
                return .unsubscribed(listening, nil)
            } catch {
                return .unsubscribed(listening, "\(error)")
            }
        case .abandon(let group):
            if let filter = try? TopicFilter(Listening.group(group).filters(for: name)[0].filter) {
                let subscription = try? await client.subscribe(to: filter)
                _ = try? await subscription?.unsubscribe()
            }
            return .done
        case .publish(let publication): return await publish(publication)
        case .finish:
            client.close()
            return .done
        case .tell, .remember, .wake, .close: return .done
        }
    }

    private mutating func subscribe(_ listening: Listening) async -> Answer {
        do throws(ClientError) {
            var filters: [SubscriptionFilter] = []
            for (filter, qos) in listening.filters(for: name) {
                filters.append(SubscriptionFilter(try TopicFilter(filter), qos: qos))
            }
            let subscription = try await client.subscribe(to: filters)
            subscriptions[listening] = subscription
            return .subscribed(listening, subscription, nil)
        } catch {
            return .subscribed(listening, nil, "\(error)")
        }
    }

    private func publish(_ publication: ChatAction.Publication) async -> Answer {
        do throws(ClientError) {
            var message = Message(try Topic(publication.topic.text), publication.text, qos: publication.topic.qos)
            if client.configuration.version == .v5, let identifier = publication.identifier {
                message.properties.userProperties = [UserProperty(MessageReceipt.property, identifier)]
            }
            let result = try await client.publish(message)
            return .published(publication.ticket, isHeard: result.reasonCode != .noMatchingSubscribers, nil)
        } catch {
            return .published(publication.ticket, isHeard: true, "\(error)")
        }
    }
}
