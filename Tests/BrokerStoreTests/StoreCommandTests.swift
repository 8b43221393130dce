import BrokerCore
import BrokerStore
import Glibc
import MQTTTestKit
import Testing

/// `martlet store`, run as a program: what it says, how it exits, and that what goes in comes out.
@Suite("martlet store", .blocking)
struct StoreCommandTests {
    private struct Run {
        let status: Int32?
        let output: String
        let errors: String
    }

    private func run(_ arguments: String...) throws -> Run {
        let program = try Program(["store"] + arguments)
        let status = program.exitStatus(withinMilliseconds: 60_000)
        return Run(status: status, output: program.standardOutput, errors: program.standardError)
    }

    /// A store of the sample that the reader is tested with, its sessions not over.
    private func store(_ scratch: Scratch) throws -> String {
        var file = SnapshotWriter(version: 6)
        file.message(3, "nobody's", payload: [], qos: 2)
        file.message(2, "b", payload: [0xFF], qos: 2)
        file.message(1, "a", payload: Array("text".utf8), qos: 1, retain: true)
        file.client("c1")
        file.claim("c1", 1, identifier: 1, qos: 1, state: .queued)
        file.claim("c1", 2, identifier: 2, qos: 2, state: .waitForPubcomp)
        file.claim("c1", 3, identifier: 9, qos: 2, state: .waitForPubrel, isIncoming: true)
        file.client("c2")
        file.claim("c2", 2, identifier: 1, qos: 1, state: .queued)
        file.subscription("c2", "b/#", qos: 1)
        file.retained(1)
        let path = "\(scratch.directory)/martlet.db"
        let imported = try run("import", scratch.write(file.bytes), "--into", path)
        #expect(imported.status == 0, "\(imported)")
        #expect(
            imported.output
                == "Imported into \(path): 2 sessions, 1 subscription, 1 retained message, 3 queued messages.\n")
        return path
    }

    @Test("import, check, stats, export and import again: the same lines come out")
    func wholeWay() throws {
        let scratch = try Scratch()
        let path = try store(scratch)
        #expect(mode(path) == 0o600)

        let check = try run("check", path)
        #expect(check.status == 0, "\(check)")
        #expect(
            check.output == """
                \(path): sound
                2 sessions, 1 subscription, 3 queued messages (1 on their way), 1 QoS 2 identifier received, \
                1 retained message

                """)
        let stats = try run("stats", path, "--json")
        #expect(stats.status == 0)
        #expect(stats.output.hasPrefix(#"{"sessions":2,"queued":3,"#))
        #expect(stats.output.contains(#""retained":1,"#))

        let file = "\(scratch.directory)/out.jsonl"
        #expect(try run("export", path, "-o", file).status == 0)
        #expect(mode(file) == 0o600)
        let lines = try run("export", path).output
        #expect(lines.contains(#"{"type":"entry","client":"c1","message":2,"qos":2,"packet":2,"released":true}"#))
        #expect(lines.contains(#""received":[9]"#))
        #expect(lines.contains(#""topic":"b","payloadBase64":"/w==""#))

        let copy = "\(scratch.directory)/copy.db"
        #expect(try run("import", file, "--into", copy).status == 0)
        #expect(try run("export", copy).output == lines)
        #expect(try run("check", copy).status == 0)
    }

    @Test("A store that is there is replaced only when asked, and stays when the import fails")
    func replace() throws {
        let scratch = try Scratch()
        let path = try store(scratch)
        let before = try run("export", path).output
        let empty = try scratch.write(Array("{\"type\":\"store\",\"version\":1}\n".utf8), "empty.jsonl")
        let refused = try run("import", empty, "--into", path)
        #expect(refused.status == 3 && refused.errors.contains("--replace"), "\(refused)")

        let broken = try scratch.write(
            Array("{\"type\":\"store\",\"version\":1}\n{\"type\":\"message\"}\n".utf8), "b.jsonl")
        let failed = try run("import", broken, "--into", path, "--replace")
        #expect(failed.status == 1 && failed.errors.contains("line 2: \"id\" is missing"), "\(failed)")
        #expect(try run("export", path).output == before)
        #expect(access(path + ".importing", F_OK) != 0)

        #expect(try run("import", empty, "--into", path, "--replace").status == 0)
        #expect(try run("stats", path, "--json").output.hasPrefix(#"{"sessions":0,"queued":0,"#))
        // An export is not written over another file.
        #expect(try run("export", path, "-o", empty).status == 2)
    }

    @Test("While a broker has the store, every command says so and changes nothing")
    func inUse() throws {
        let scratch = try Scratch()
        let path = try store(scratch)
        let lines = try scratch.write(Array("{\"type\":\"store\",\"version\":1}\n".utf8), "empty.jsonl")
        let holder = try StoreDialogue(path: path)
        for run in [
            try run("check", path), try run("stats", path), try run("export", path),
            try run("import", lines, "--into", path, "--replace"),
        ] {
            #expect(run.status == 2, "\(run)")
            #expect(run.errors.contains("is in use by another process"), "\(run)")
        }
        try holder.close()
        #expect(try run("check", path).output.contains("3 queued messages"))
    }

    @Test("What is no store is told apart, and a damaged one is found")
    func foreign() throws {
        let scratch = try Scratch()
        let text = try scratch.write(Array("hello".utf8), "text")
        let snapshot = try scratch.write(MosquittoSnapshotTests.sample(version: 6))
        for command in ["check", "stats", "export"] {
            #expect(try run(command, text).status == 3)
            let hint = try run(command, snapshot)
            #expect(hint.status == 3 && hint.errors.contains("martlet store import"), "\(hint)")
            #expect(try run(command, "\(scratch.directory)/none").status == 2)
        }
        #expect(try run("import", text, "--into", "\(scratch.directory)/new.db").status == 3)
        let cut = try scratch.write(Array(MosquittoSnapshotTests.sample(version: 6).dropLast(3)))
        let failed = try run("import", cut, "--into", "\(scratch.directory)/new.db")
        #expect(failed.status == 1 && failed.errors.contains("at byte"), "\(failed)")
        #expect(access("\(scratch.directory)/new.db", F_OK) != 0)

        let path = try store(scratch)
        // The messages' row: its bytes no longer fit their checksum.
        var bytes = try #require(read(path))
        let needle = Array("text".utf8)
        let at = try #require(bytes.indices.last { bytes[$0...].starts(with: needle) })
        bytes[at] ^= 1
        try scratch.write(bytes, "martlet.db")
        let damaged = try run("check", path)
        #expect(damaged.status == 1 && damaged.output.contains("damaged"), "\(damaged)")
    }

    @Test(
        "A mosquitto.db of Debian's mosquitto comes over and is read back",
        .enabled(if: BrokerProcess.mosquitto != nil, "apt install mosquitto; `make setup` does"))
    func mosquitto() throws {
        let broker = try MosquittoFileTests.filled()
        let path = "\(broker.directory)/martlet.db"
        let imported = try run("import", "\(broker.directory)/mosquitto.db", "--into", path)
        #expect(
            imported.output.contains("3 sessions, 2 subscriptions, 2 retained messages, 7 queued messages"),
            "\(imported)")
        #expect(try run("check", path).status == 0)
        let lines = try run("export", path).output
        #expect(lines.contains(#""topic":"q/2","payloadBase64":"AP+A","qos":2"#))
        #expect(lines.contains(#""properties":[["user-property","name","värde"]]"#))
        #expect(lines.contains(#""received":[900]"#))
        #expect(lines.contains(#""filter":"way/+","qos":2,"noLocal":true,"retainAsPublished":true,"identifier":300"#))
        #expect(lines.contains(#""payload":"wait for PUBCOMP""#))
    }

    @Test("At the broker's start a snapshot is taken over once, and stays as it is")
    func atStart() throws {
        let scratch = try Scratch()
        let snapshot = try scratch.write(MosquittoSnapshotTests.sample(version: 4))
        let path = "\(scratch.directory)/martlet.db"
        let summary = try #require(try StoreImport.importMosquitto(from: snapshot, into: path))
        #expect(
            StoreImport.logLine(summary, from: snapshot)
                == "Imported from mosquitto's \(snapshot), which stays as it is: \(summary.description).")
        #expect(summary.sessions == 1)
        #expect(read(snapshot) == MosquittoSnapshotTests.sample(version: 4))
        #expect(try StoreImport.importMosquitto(from: snapshot, into: path) == nil)
        #expect(try StoreImport.importMosquitto(from: "\(scratch.directory)/none", into: path + "2") == nil)
        #expect(access(path + "2", F_OK) != 0)
    }

    private func mode(_ path: String) -> UInt32? {
        var status = stat()
        return stat(path, &status) == 0 ? status.st_mode & 0o777 : nil
    }

    private func read(_ path: String) -> [UInt8]? {
        guard let file = fopen(path, "r") else { return nil }
        defer { fclose(file) }
        var buffer = [UInt8](repeating: 0, count: 1 << 20)
        let count = fread(&buffer, 1, 1 << 20, file)
        return Array(buffer.prefix(count))
    }
}
