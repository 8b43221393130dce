import MQTTClient
import Synchronization

/// The kinds that move messages.
extension Bench {
    func publishAll(_ report: inout BenchReport) async {
        let clients = await openAll("p")
        let begin = ContinuousClock.now
        await withTaskGroup(of: Void.self) { group in
            for (number, client) in clients.enumerated() {
                group.addTask { _ = await publish(client, to: topic(number)) }
            }
        }
        report.seconds = begin.milliseconds / 1_000
        for client in clients { client.close() }
    }

    func subscribeAll(_ report: inout BenchReport) async {
        let clients = await openAll("s")
        let begin = ContinuousClock.now
        await withTaskGroup(of: Void.self) { group in
            for client in clients {
                group.addTask {
                    do throws(ClientError) {
                        let filter = try TopicFilter(plan.topic)
                        for try await message in try await client.subscribe(to: filter, qos: plan.qos) {
                            _ = message
                            let count = tally.received.wrappingAdd(1, ordering: .relaxed).newValue
                            if let end = plan.messages, count >= end { break }
                        }
                    } catch {
                        if error != .cancelled { tally.fail(error) }
                    }
                }
            }
            let duration = plan.duration
            let isEndless = plan.messages != nil
            group.addTask { try? await Task.sleep(for: isEndless ? .seconds(86_400) : duration) }
            await group.next()
            group.cancelAll()
        }
        report.seconds = begin.milliseconds / 1_000
        for client in clients { client.close() }
    }

    /// Subscribers first, then their publishers; each pair has a topic of its own.
    func pairAll(_ report: inout BenchReport) async {
        var readers: [(MQTTClient, Subscription)] = []
        for client in await openAll("s") {
            do throws(ClientError) {
                let filter = TopicFilter(topic(readers.count))
                readers.append((client, try await client.subscribe(to: filter, qos: plan.qos)))
            } catch {
                tally.fail(error)
            }
        }
        let writers = await openAll("p")
        let begin = ContinuousClock.now
        let checks = await withTaskGroup(of: (sent: Int, ArrivalCheck).self) { group in
            for ((_, subscription), (number, writer)) in zip(readers, writers.enumerated()) {
                group.addTask { await pair(writer, subscription, number) }
            }
            var all: [(sent: Int, ArrivalCheck)] = []
            for await check in group { all.append(check) }
            return all
        }
        report.seconds = begin.milliseconds / 1_000
        for (sent, check) in checks {
            report.lost += sent - check.distinct
            report.duplicates += check.duplicates
            report.late += check.late
        }
        for client in writers + readers.map(\.0) { client.close() }
    }

    private func pair(
        _ writer: MQTTClient, _ subscription: Subscription, _ number: Int
    ) async -> (sent: Int, ArrivalCheck) {
        let sum = Mutex<Int?>(nil)
        async let arrivals = read(subscription) { count in sum.withLock { $0.map { count >= $0 } ?? false } }
        let sent = await publish(writer, to: topic(number))
        sum.withLock { $0 = sent }
        // What comes last wakes the reader; where that is lost, patience ends, and the subscription with it.
        let waiting = Task {
            try? await Task.sleep(for: plan.patience)
            guard !Task.isCancelled else { return }
            _ = try? await subscription.unsubscribe()
        }
        if sent > 0 { _ = try? await writer.publish(Message(topic(number), "end", qos: plan.qos)) }
        let check = await arrivals
        waiting.cancel()
        return (sent, check)
    }

    private func read(_ subscription: Subscription, isDone: (Int) -> Bool) async -> ArrivalCheck {
        var check = ArrivalCheck()
        do throws(ClientError) {
            for try await message in subscription {
                if let stamp = BenchStamp(message.payload) {
                    tally.received.wrappingAdd(1, ordering: .relaxed)
                    let now = tally.microseconds
                    tally.took(now > stamp.microseconds ? now - stamp.microseconds : 0)
                    check.arrived(stamp.number)
                }
                if isDone(check.distinct) { break }
            }
        } catch {
            tally.fail(error)
        }
        return check
    }

    // MARK: Publishing

    func topic(_ number: Int) -> Topic { Topic(stringLiteral: "\(plan.topic)/\(unique)/\(number)") }

    /// Batches in order: the last message of each is waited for, so that no queue grows. Returns how many were sent.
    func publish(_ client: MQTTClient, to topic: Topic) async -> Int {
        let begin = ContinuousClock.now
        let interval = plan.rate.map { Double(plan.clients) / $0 }
        let size = interval == nil ? plan.batch : 1
        var sent = 0
        while !Task.isCancelled {
            if let messages = plan.messages {
                if sent >= messages { break }
            } else if ContinuousClock.now - begin >= plan.duration {
                break
            }
            if let interval {
                let due = begin + .microseconds(Int64(Double(sent) * interval * 1_000_000))
                try? await Task.sleep(until: due, clock: .continuous)
            }
            let count = min(size, plan.messages.map { $0 - sent } ?? size)
            for _ in 1..<max(count, 1) { client.send(message(topic, sent)); sent += 1 }
            let started = ContinuousClock.now
            do throws(ClientError) {
                try await client.publish(message(topic, sent))
            } catch {
                tally.fail(error)
                break
            }
            sent += 1
            if plan.kind == .pub { tally.took(since: started) }
            tally.sent.wrappingAdd(count, ordering: .relaxed)
        }
        return sent
    }

    private func message(_ topic: Topic, _ number: Int) -> Message {
        let stamp = BenchStamp(number: UInt64(number), microseconds: tally.microseconds)
        return Message(topic, stamp.payload(of: plan.payloadBytes), qos: plan.qos)
    }
}
