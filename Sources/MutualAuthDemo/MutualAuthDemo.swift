package import MQTTClient

/// coreMQTT's demo of mutual authentication: connect with a certificate of our own, subscribe, publish and hear it back, leave;
/// again and again. Every step is a line on the console. Unlike its model it fails when retries are exhausted, and when an
/// echo stays away. [FR-1…10]
package struct MutualAuthDemo: Sendable {
    let settings: DemoSettings
    let endpoint: Endpoint
    /// Chance for the delays: the key store's. [BO-5]
    let random: JitterSource
    let say: @Sendable (String) -> Void

    /// - Parameters:
    ///   - random: 32 random bits; where it fails, nothing is tried again. [BO-5]
    ///   - say: takes one line for the console.
    package init(
        _ settings: DemoSettings, to endpoint: Endpoint, random: @escaping JitterSource,
        say: @escaping @Sendable (String) -> Void
    ) {
        self.settings = settings
        self.endpoint = endpoint
        self.random = random
        self.say = say
    }

    /// Runs all iterations. One that fails does not stop the next. [FR-3]
    /// - Returns: whether more than half of them succeeded. Ends early, with false, in a cancelled task.
    package func run() async -> Bool {
        var successes = 0
        var done = 0
        while settings.iterations == 0 || done < settings.iterations, !Task.isCancelled {
            if done > 0 {
                say("Next iteration in \(settings.iterationPause.milliseconds) ms.")
                guard await pause(settings.iterationPause) else { break }
            }
            done += 1
            say("Iteration \(done)\(settings.iterations == 0 ? "" : " of \(settings.iterations)")")
            if let trouble = await iteration() {
                say("Iteration \(done) failed: \(trouble)")
            } else {
                successes += 1
                say("Iteration \(done) succeeded.")
            }
        }
        let required = settings.required(of: settings.iterations)
        guard !Task.isCancelled, successes >= required else {
            say("Demo failed: \(successes) of \(done) iterations succeeded, \(required) are required.")
            return false
        }
        say("Demo succeeded: \(successes) of \(done) iterations.")
        return true
    }

    /// One connection from its beginning to its end, whatever happens on it. [FR-2]
    /// - Returns: what went wrong.
    private func iteration() async -> String? {
        var backoff = settings.backoff
        while true {
            say("TLS: connecting to \(endpoint.host):\(endpoint.port)")
            do {
                try await MQTTClient.withConnection(to: endpoint, settings.client, reconnect: .never) { client in
                    try await exchange(client)
                }
                say("MQTT: disconnected")
                return nil
            } catch ClientError.connectFailed(let failure) {
                say("TLS: no connection: \(failure)")
                if failure.stage == .settings { return "the settings do not allow a connection" }
                if let trouble = await wait(&backoff, "the connection") { return trouble }
            } catch let trouble as DemoTrouble {
                return trouble.description
            } catch {
                return "\(error)"
            }
        }
    }

    /// One step of the backoff. [BO-2]
    /// - Returns: why there is no further try.
    func wait(_ backoff: inout Backoff, _ what: String) async -> String? {
        guard backoff.retries < settings.retriesMax else {
            return "all \(settings.retriesMax) retries of \(what) are used up"
        }
        let chance: UInt32
        do {
            chance = try await random()
        } catch {
            return "no random number for the delay: \(error)"
        }
        guard case .retry(let delay) = backoff.next(random: chance) else {
            return "all \(settings.retriesMax) retries of \(what) are used up"
        }
        say("Retry \(backoff.retries) of \(settings.retriesMax) in \(delay.milliseconds) ms.")
        return await pause(delay) ? nil : "cancelled"
    }

    /// False where the task was cancelled meanwhile.
    func pause(_ time: Duration) async -> Bool {
        do {
            try await Task.sleep(for: time)
            return true
        } catch {
            return false
        }
    }
}

/// What ended an iteration, in words.
struct DemoTrouble: Error, CustomStringConvertible {
    let description: String
}
