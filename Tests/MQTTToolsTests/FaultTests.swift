import Testing

@testable import MQTTTools

/// What is said of a command line that cannot be carried out: mosquitto 2.0.11's own words, captured from it.
/// `Tests/Interoperability/test_tools_arguments.py` compares many more with the program itself.
@Suite("The tools' complaints")
struct FaultTests {
    @Test(
        "are mosquitto's",
        arguments: [
            ("-A", "Error: -A argument given but no address specified.\n\n"),
            ("-p 70000", "Error: Invalid port given: 70000\n"),
            ("-q 3", "Error: Invalid QoS given: 3\n"),
            ("-k 4", "Error: Invalid keepalive given, it must be between 5 and 65535 inclusive.\n\n"),
            ("-L foo", "Error: unsupported URL scheme.\n\n"),
            ("-L mqtt://h", "Error: Invalid URL for -L argument specified - topic missing.\n"),
            ("-D", "Error: --property argument given but not enough arguments specified.\n\n"),
            ("-D x y z", "Error: Invalid command given in --property argument.\n\n"),
            ("-D connect y z", "Error: Invalid property name given in --property argument.\n\n"),
            (
                "-D connect content-type z",
                "Error: content-type property not allowed for connect in --property argument.\n\n"
            ),
            (
                "-D auth user-property a b",
                "Error: user-property property not supported for auth in --property argument.\n\n"
            ),
            (
                "-D publish topic-alias 99999",
                "Error: Property value (99999) out of range for property topic-alias.\n\n"
            ),
            ("-V 7", "Error: Invalid protocol version argument given.\n\n"),
            ("-V", "Error: --protocol-version argument given but no version specified.\n\n"),
            ("-x a", "Error: session-expiry-interval not a number.\n\n"),
            ("-x 99999999999", "Error: session-expiry-interval out of range.\n\n"),
            (
                "-V 5 -c",
                "Error: You must provide a client id if you are using an infinite session expiry interval.\n"
            ),
            ("-c", "Error: You must provide a client id if you are using the -c option.\n"),
            ("--will-payload x", "Error: Will payload given, but no will topic given.\n"),
            ("--will-retain", "Error: Will retain given, but no will topic given.\n"),
            ("--will-topic a/#", "Error: Invalid will topic 'a/#', does it contain '+' or '#'?\n"),
            ("--will-qos 4", "Error: Invalid will QoS 4.\n\n"),
            ("--cert x", "Error: Both certfile and keyfile must be provided if one of them is set.\n"),
            ("--keyform pem", "Error: If keyform is set, keyfile must be also specified.\n"),
            (
                "--tls-engine-kpass-sha1 x",
                "Error: when using tls-engine-kpass-sha1, both tls-engine and keyform must also be provided.\n"
            ),
            ("--psk aa --cafile x", "Error: Only one of --psk or --cafile/--capath may be used at once.\n"),
            ("--psk aa", "Error: --psk-identity required if --psk used.\n"),
            ("-t a/+ -m b", "Error: Invalid publish topic 'a/+', does it contain '+' or '#'?\n"),
            ("-m x -m y", "Error: Only one type of message can be sent at once.\n\n"),
            ("--repeat 0", "Error: --repeat argument must be >0.\n\n"),
            ("--repeat-delay -1", "Error: --repeat-delay argument must be >=0.0.\n\n"),
            ("-M 0", "Error: Maximum inflight messages must be greater than 0.\n\n"),
            ("-M", "Error: -M argument given but max_inflight not specified.\n\n"),
            ("-i a -I b", "Error: -i and -I argument cannot be used together.\n\n"),
            ("-e foo", "Error: Unknown option '-e'.\n"),
            ("--proxy x", "Error: Unsupported proxy protocol: x\n"),
            ("--proxy socks5h://", "Error: Invalid proxy.\n"),
            ("-m x", "Error: Both topic and message must be supplied.\n"),
        ])
    func complaints(_ line: String, _ text: String) {
        let words = line.split(separator: " ").map { Word(String($0)) }
        let fault = #expect(throws: ArgumentFault.self) { try OptionTests.read(.pub, words) }
        #expect(fault?.printed == text)
    }

    @Test(
        "are mosquitto_sub's",
        arguments: [
            ("-C 0", "Error: Invalid message count \"0\".\n\n"), ("-W 0", "Error: Invalid timeout \"0\".\n\n"),
            ("-F %", "Error: Incomplete format specifier.\n"), ("-F %Q", "Error: Invalid format specifier 'Q'.\n"),
            ("-F @", "Error: Incomplete format specifier.\n"), ("-F \\", "Error: Incomplete escape specifier.\n"),
            ("-F \\q", "Error: Invalid escape specifier 'q'.\n"), ("-F %5", "Error: Incomplete format specifier.\n"),
            ("--random-filter x", "Error: --random-filter chance must be between 0.1-100.0\n\n"),
            ("-T a/#/b", "Error: Invalid filter topic 'a/#/b', are all '+' and '#' wildcards correct?\n"),
            ("-U a/#/b", "Error: Invalid unsubscribe topic 'a/#/b', are all '+' and '#' wildcards correct?\n"),
            ("-t a/#/b", "Error: Invalid subscription topic 'a/#/b', are all '+' and '#' wildcards correct?\n"),
            ("-v", "Error: You must specify a topic to subscribe to.\n"),
            ("-t a -R --retained-only", "\nError: Combining '-R' and '--retained-only' makes no sense.\n"),
        ])
    func listeners(_ line: String, _ text: String) {
        let words = line.split(separator: " ").map { Word(String($0)) }
        let fault = #expect(throws: ArgumentFault.self) { try OptionTests.read(.sub, words) }
        #expect(fault?.printed == text)
    }

    @Test("a file of options is read first, and the command line wins")
    func optionsFile() {
        let lines = OptionsFile.lines(
            of: Array("# comment\n-h there\n\n-m a message with spaces\r\n-d\n-D publish user-property a b c\n".utf8))
        #expect(
            lines == [
                ["-h", "there"], ["-m", "a message with spaces"], ["-d"],
                ["-D", "publish", "user-property", "a", "b c"],
            ])
    }
}
