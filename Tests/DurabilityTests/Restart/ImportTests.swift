import Glibc
import MQTTTestKit
import Testing

/// A broker that is started where mosquitto was: what that left in `mosquitto.db` comes over once, and the file stays as
/// it is. What each part of the file becomes: `MosquittoImportTests`, `MosquittoFileTests`.
@Suite(
    "mosquitto's snapshot at the broker's start", .blocking,
    .enabled(if: BrokerProcess.mosquitto != nil, "apt install mosquitto; `make setup` does"))
struct ImportTests {
    private static let queued = 50

    /// A folder in which Debian's mosquitto has left a session with waiting messages, and retained ones.
    private func filled(queued: Int = queued, file: String = "mosquitto.db") throws -> StoreFolder {
        let store = try StoreFolder()
        let conf = store.configuration("persistence_file \(file)", eventLoops: nil)
        let mosquitto = try BrokerProcess.start(conf, program: BrokerProcess.mosquitto)
        let subscriber = try RawClient.patient(mosquitto, id: "from mosquitto", version: 4)
        try subscriber.subscribe("q/#", 2)
        try subscriber.disconnect()
        let publisher = try RawClient.patient(mosquitto, cleanStart: true)
        for number in 0..<queued { try publisher.publish("q/\(number % 3)", "\(number)", qos: UInt8(1 + number % 2)) }
        try publisher.publish("kept/text", "retained", qos: 1, retain: true)
        try End.terminated.of(mosquitto)
        #expect(access("\(store.path)/\(file)", F_OK) == 0)
        return store
    }

    /// Size, last change and a sum of the bytes: the same as long as nobody wrote to the file.
    private func imprint(of path: String) throws -> [Int] {
        var status = stat()
        guard stat(path, &status) == 0, let file = fopen(path, "r") else { throw Trouble("cannot read \(path)") }
        defer { fclose(file) }
        var sum: UInt64 = 14_695_981_039_346_656_037
        while case let byte = getc(file), byte != EOF { sum = (sum ^ UInt64(byte)) &* 1_099_511_628_211 }
        return [Int(status.st_size), status.st_mtim.tv_sec, status.st_mtim.tv_nsec, Int(truncatingIfNeeded: sum)]
    }

    private func line(of path: String, queued: Int = queued) -> String {
        "Imported from mosquitto's \(path), which stays as it is: 1 session, 1 subscription, 1 retained message, "
            + "\(queued) queued messages."
    }

    @Test(
        "all comes over once, the log says what, and the snapshot is left untouched", arguments: End.allCases, [1, 2])
    func once(_ end: End, _ eventLoops: Int) throws {
        let store = try filled()
        let snapshot = "\(store.path)/mosquitto.db"
        let before = try imprint(of: snapshot)
        var broker = try store.start(eventLoops: eventLoops)
        #expect(broker.log.contains(line(of: snapshot)), "\(broker.log)")
        var status = stat()
        #expect(stat(store.file, &status) == 0 && status.st_mode & 0o777 == 0o600)
        try end.of(broker)

        // The second start finds a store, and imports nothing: neither what is there twice, nor what has gone.
        broker = try store.start(eventLoops: eventLoops)
        #expect(!broker.log.contains("mosquitto"), "\(broker.log)")
        let subscriber = try RawClient.patient(broker, id: "from mosquitto", version: 4)
        #expect(subscriber.connack?.sessionPresent == true)
        let waiting = try payloads(Self.queued, subscriber)
        #expect(waiting == (0..<Self.queued).map(String.init))
        try subscriber.expectQuiet()
        let other = try RawClient.patient(broker, cleanStart: true)
        try other.subscribe("kept/#", 1)
        let retained = try other.receivePublish()
        #expect(retained.payloadText == "retained" && retained.retain)
        // Its subscription came too.
        try other.publish("q/new", "new", qos: 2)
        #expect(try subscriber.receivePublish().payloadText == "new")
        try subscriber.publish("kept/text", "", qos: 1, retain: true)
        try end.of(broker)

        broker = try store.start(eventLoops: eventLoops)
        #expect(!broker.log.contains("mosquitto"), "\(broker.log)")
        // Nobody waits for a subscriber's acknowledgements to be kept: of what it had at last, some may come again, as such.
        let again = try RawClient.patient(broker, id: "from mosquitto", version: 4).barrier()
        #expect(end == .killed ? again.allSatisfy { $0.kind == .pubrel || $0.dup } : again.isEmpty, "\(again)")
        let last = try RawClient.patient(broker, cleanStart: true)
        try last.subscribe("kept/#", 1)
        try last.expectQuiet()
        #expect(try imprint(of: snapshot) == before)
    }

    @Test("'persistence_file' names another file, and without persistence nothing is touched")
    func named() throws {
        let store = try filled(file: "mqtt.state")
        var broker = try store.start("persistence_file mqtt.state", isPersistent: false)
        try End.terminated.of(broker)
        #expect(access(store.file, F_OK) != 0)
        broker = try store.start("persistence_file mqtt.state")
        #expect(broker.log.contains(line(of: "\(store.path)/mqtt.state")), "\(broker.log)")
    }

    @Test("a damaged snapshot stops the start: an empty store would hide what it holds")
    func damaged() throws {
        let store = try filled()
        let snapshot = "\(store.path)/mosquitto.db"
        var status = stat()
        #expect(stat(snapshot, &status) == 0 && truncate(snapshot, status.st_size - 7) == 0)
        let before = try imprint(of: snapshot)
        let port = try #require(Loopback.freePort())
        let conf = store.configuration("log_dest stderr").replacing("{port}", with: String(port))
        let program = try Program(["broker", "-c", "{directory}/broker.conf"], files: ["broker.conf": conf])
        #expect(program.exitStatus(withinMilliseconds: patienceMilliseconds) == 1)
        let said = program.standardError
        #expect(said.contains("Error: mosquitto's \(snapshot) cannot be taken over: "), "\(said)")
        #expect(access(store.file, F_OK) != 0)
        #expect(try imprint(of: snapshot) == before)
    }

    @Test("an import that kill -9 cuts off is done again, whole")
    func cutOff() throws {
        let count = 5_000
        let store = try filled(queued: count)
        let snapshot = "\(store.path)/mosquitto.db"
        // Later and later, until one of them has a store: before that there is none, afterwards it is whole.
        var attempts: UInt32 = 0
        while access(store.file, F_OK) != 0, attempts < 200 {
            let finding = try store.interruptStart(afterMicroseconds: 5_000 * attempts)
            #expect(finding == nil)
            attempts += 1
        }
        #expect((1..<200).contains(attempts))
        let broker = try store.start("max_inflight_messages 1000")
        #expect(broker.log.contains("sessions: 1, queued messages: \(count), retained messages: 1."), "\(broker.log)")
        let subscriber = try RawClient.patient(broker, id: "from mosquitto", version: 4)
        let waiting = try payloads(count, subscriber)
        #expect(waiting == (0..<count).map(String.init))
        #expect(access(snapshot, F_OK) == 0)
    }
}
