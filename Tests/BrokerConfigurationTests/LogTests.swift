import BrokerConfiguration
import Testing

@Suite("The log's settings")
struct LogTests {
    @Test("log_dest: the first replaces the default, the others add, none forgets")
    func destinations() throws {
        #expect(
            try parsed("log_dest topic\nlog_dest stdout\nlog_dest topic\n").log.destinations == [
                .topic, .standardOutput(unbuffered: false),
            ])
        #expect(
            try parsed("log_dest stdout\nlog_dest stdout unbuffered\n").log.destinations == [
                .standardOutput(unbuffered: true)
            ])
        #expect(
            try parsed("log_dest file /var/log/a b.log\nlog_dest stderr\n").log.destinations == [
                .file(path: "/var/log/a b.log"), .standardError,
            ])
        #expect(try parsed("log_dest stderr\nlog_dest none\n").log.destinations == [])
        #expect(try parsed("log_dest none\nlog_dest syslog\n").log.destinations == [.syslog])
    }

    @Test("one log file, even after none")
    func oneFile() {
        let second = problems("log_dest file /a\nlog_dest none\nlog_dest file /b\n")
        #expect(second.map(\.line) == [3])
        #expect(second.first?.message.hasSuffix("keep one of the two: there is one log file") == true, "\(second)")
        #expect(problems("log_dest file\n").first?.message == "'log_dest' file needs a path: log_dest file PATH")
    }

    @Test("log_dest dlt is accepted with a warning, and replaces the default too")
    func dlt() throws {
        #expect(try parsed("log_dest dlt\n").log.destinations == [])
        #expect(try remarks("log_dest dlt\n").map(\.severity) == [.warning])
    }

    @Test("log_type: one word a line; more words are noted")
    func types() throws {
        #expect(try parsed("log_type error\nlog_type subscribe\n").log.types == [.error, .subscribe])
        #expect(try parsed("log_type all\nlog_type none\nlog_type debug\n").log.types == .debug)
        #expect(
            try remarks("log_type error warning\n").map(\.message) == ["the rest of the line, 'warning', is ignored"])
        #expect(LogTypes.all == LogTypes(LogType.allCases.map { LogTypes($0) }))
    }

    @Test("the topics of log_dest topic")
    func topics() {
        let topics = LogType.allCases.map { $0.topic?.dropFirst("$SYS/broker/log/".count) }
        #expect(topics == ["E", "W", "N", "I", nil, "M/subscribe", "M/unsubscribe", nil, "WS"])
    }

    @Test("the time a line begins with")
    func timestamps() throws {
        #expect(try parsed("").log.timestamp.prefix(unixSeconds: 1_700_000_000) == "1700000000: ")
        #expect(try parsed("log_timestamp false\nlog_timestamp_format %Y\n").log.timestamp.prefix(unixSeconds: 0) == "")
        #expect(
            try parsed("log_timestamp_format %% %s x\n").log.timestamp.prefix(unixSeconds: 1_700_000_000)
                == "% 1700000000 x: ")
        #expect(
            try parsed("log_timestamp_format %Y-%m-%d\n").log.timestamp.prefix(unixSeconds: 1_700_000_000).count
                == "2023-11-14: ".count)
    }

    @Test("a format that yields nothing or too much falls back to unix seconds")
    func timestampFallback() {
        #expect(LogTimestamp.format(unixSeconds: 5, format: "") == "5")
        #expect(LogTimestamp.format(unixSeconds: 5, format: String(repeating: "x", count: 512)) == "5")
        #expect(LogTimestamp.format(unixSeconds: 5, format: String(repeating: "x", count: 511)).utf8.count == 511)
        #expect(LogTimestamp.format(unixSeconds: .max, format: "%Y") == "\(Int.max)")
    }
}
