import Glibc
import MQTTTestKit
import Testing

/// How the program starts: options, what it listens on without a file, and what it says about a file it cannot use.
@Suite("Start", .blocking)
struct StartTests {
    private static let open = "listener {port} 127.0.0.1\nallow_anonymous true\n"

    /// A program on a free port; `{port}` is replaced in the file.
    private func run(_ conf: String, _ extra: [String] = []) throws -> (program: Program, port: UInt16) {
        let port = try #require(Loopback.freePort())
        let text = conf.replacing("{port}", with: String(port))
        let program = try Program(
            ["broker", "-c", "{directory}/broker.conf"] + extra, files: ["broker.conf": text])
        return (program, port)
    }

    @Test("It accepts connections within 2 s of its start")
    func listensSoon() throws {
        // A machine that is busy with something else may make one start late, not three.
        var fastest = Duration.seconds(60)
        for _ in 0..<10 where fastest >= .seconds(2) {
            let start = ContinuousClock.now
            let (program, port) = try run(Self.open)
            #expect(program.answers(port: port))
            fastest = min(fastest, ContinuousClock.now - start)
        }
        #expect(fastest < .seconds(2))
    }

    @Test("Without a file it listens on 127.0.0.1 and ::1 only, and lets anonymous clients in")
    func defaultsAreLocal() throws {
        let port = try #require(Loopback.freePort())
        let program = try Program(["broker", "-p", String(port)])
        #expect(program.answers(port: port))
        for host in Loopback.Host.allCases where host != .second && (host != .version6 || Loopback.hasIPv6) {
            // One address is opened after the other.
            #expect(program.answers(host, port: port))
            let client = try RawClient(host, port: port, deadlineMilliseconds: patienceMilliseconds)
            try client.connect(id: unique("c"))
        }
        #expect(!Loopback.answers(.second, port: port))
        #expect(program.standardError.contains("Starting in local only mode."))
    }

    @Test("-p may be given twice, and does not count where a file has a listener")
    func ports() throws {
        let first = try #require(Loopback.freePort())
        let second = try #require(Loopback.freePort())
        let both = try Program(["broker", "-p", String(first), "-p", String(second)])
        #expect(both.answers(port: first) && both.answers(port: second))

        let ignored = try #require(Loopback.freePort())
        let (program, port) = try run(Self.open, ["-p", String(ignored)])
        #expect(program.answers(port: port))
        #expect(!Loopback.answers(.first, port: ignored))
    }

    @Test("A listener without an address accepts on every interface, IPv4 and IPv6; with one, only there")
    func listenerAddresses() throws {
        let (everywhere, port) = try run("listener {port}\nallow_anonymous true\n")
        #expect(everywhere.answers(port: port))
        #expect(Loopback.answers(.second, port: port))
        if Loopback.hasIPv6 { #expect(everywhere.answers(.version6, port: port)) }

        let (here, other) = try run(Self.open)
        #expect(here.answers(port: other))
        #expect(!Loopback.answers(.second, port: other))
        #expect(!Loopback.answers(.version6, port: other))
    }

    @Test(
        "A file with a listener refuses anonymous clients unless it allows them",
        arguments: [("", false), ("allow_anonymous false\n", false), ("allow_anonymous true\n", true)])
    func anonymous(line: String, isAllowed: Bool) throws {
        let (program, port) = try run("listener {port} 127.0.0.1\n" + line)
        #expect(program.answers(port: port))
        for (version, code) in [(UInt8(3), UInt8(5)), (4, 5), (5, 0x87)] {
            let client = try RawClient(port: port, version: version, deadlineMilliseconds: patienceMilliseconds)
            client.send(Wire.connect(id: unique("c"), version: version))
            #expect(try client.expect(.connack).reasonCode == (isAllowed ? 0 : code), "version \(version)")
            if !isAllowed { try client.expectClosed(withinMilliseconds: patienceMilliseconds) }
        }
    }

    @Test("Text behind a boolean or a number is ignored, as mosquitto does")
    func trailingText() throws {
        let (program, port) = try run(
            "listener {port} 127.0.0.1\nmax_connections 10 # ten\nallow_anonymous false  # nobody\n")
        #expect(program.answers(port: port))
        let client = try RawClient(port: port, deadlineMilliseconds: patienceMilliseconds)
        client.send(Wire.connect(id: unique("c")))
        #expect(try client.expect(.connack).reasonCode == 5)
    }

    @Test("An unknown key stops the start: exit status 3, with file and line on standard error")
    func unknownKey() throws {
        let (program, port) = try run("listener {port} 127.0.0.1\n# so far so good\nmax_conections 5\n")
        #expect(program.exitStatus(withinMilliseconds: patienceMilliseconds) == 3)
        #expect(program.standardError.contains("\(program.directory)/broker.conf:3: unknown key 'max_conections'"))
        #expect(program.standardOutput.isEmpty)
        #expect(!Loopback.answers(.first, port: port))
    }

    @Test("--test-config only checks: 0 for a good file, 3 for a wrong one, and nobody listens")
    func testConfig() throws {
        let (good, port) = try run(Self.open, ["--test-config"])
        #expect(good.exitStatus(withinMilliseconds: patienceMilliseconds) == 0)
        #expect(!Loopback.answers(.first, port: port))

        let (wrong, _) = try run("listener {port} 127.0.0.1\nmax_keepalive ninety\n", ["--test-config"])
        #expect(wrong.exitStatus(withinMilliseconds: patienceMilliseconds) == 3)
        #expect(wrong.standardError.contains("broker.conf:2: 'max_keepalive'"))

        let missing = try Program(["broker", "-c", "{directory}/none.conf", "--test-config"])
        #expect(missing.exitStatus(withinMilliseconds: patienceMilliseconds) == 3)
        #expect(missing.standardError.contains("\(missing.directory)/none.conf"))
    }

    @Test("A port that is taken: exit status 1, and the message names the port")
    func portTaken() throws {
        let (first, port) = try run(Self.open)
        #expect(first.answers(port: port))
        let second = try Program(
            ["broker", "-c", "{directory}/broker.conf"],
            files: ["broker.conf": Self.open.replacing("{port}", with: String(port))])
        #expect(second.exitStatus(withinMilliseconds: patienceMilliseconds) == 1)
        #expect(second.standardError.contains("cannot listen on port \(port)"))
    }

    @Test("-v logs packets, whatever the file says; -q logs nothing")
    func verboseAndQuiet() throws {
        for (option, isLogged) in [("-v", true), ("-q", false)] {
            let (program, port) = try run(Self.open + "log_type error\n", [option])
            #expect(program.answers(port: port))
            let client = try RawClient(port: port, deadlineMilliseconds: patienceMilliseconds)
            try client.connect(id: "loud")
            try client.expectQuiet()
            program.signal(SIGTERM)
            #expect(program.exitStatus(withinMilliseconds: patienceMilliseconds) == 0)
            #expect(program.standardError.contains("Received PINGREQ from loud") == isLogged)
            #expect(program.standardError.isEmpty == !isLogged)
        }
    }

    @Test("`persistence true` with a folder that is not there: exit 1, and the error names the file")
    func persistenceFolderIsMissing() throws {
        let (program, _) = try run(Self.open + "persistence true\npersistence_location /tmp/martlet-nowhere/\n")
        #expect(program.exitStatus(withinMilliseconds: patienceMilliseconds) == 1)
        #expect(program.standardError.contains("The store /tmp/martlet-nowhere/martlet.db cannot be opened"))
    }

    @Test("Files of include_dir are read")
    func includeDirectory() throws {
        let port = try #require(Loopback.freePort())
        let program = try Program(
            ["broker", "-c", "{directory}/main.cfg"],
            files: [
                "main.cfg": "include_dir {directory}\n", "01.conf": "listener \(port) 127.0.0.1\n",
                "02.conf": "allow_anonymous true\n",
            ])
        #expect(program.answers(port: port))
        try RawClient(port: port, deadlineMilliseconds: patienceMilliseconds).connect(id: unique("c"))
    }
}
