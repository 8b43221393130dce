import BrokerConfiguration
import Glibc
import MQTTTestKit
import Testing

@testable import BrokerServer

/// Lines that wait for the reader of a log, without a reader.
@Suite("Log backlog")
struct LogBacklogTests {
    private func add(_ text: String, to backlog: inout LogBacklog) {
        var text = text
        text.withUTF8 { backlog.add(UnsafeRawBufferPointer($0)) }
    }

    /// Everything it has, in pieces as they are written.
    private func drained(_ backlog: inout LogBacklog) -> [String] {
        var pieces: [String] = []
        while !backlog.isEmpty {
            pieces.append(String(decoding: backlog.piece, as: UTF8.self))
            backlog.wrote(backlog.piece.count)
        }
        return pieces
    }

    @Test("A piece is whole lines, as many as fit; a longer line goes in pieces")
    func pieces() {
        var backlog = LogBacklog()
        let half = String(repeating: "h", count: 2000) + "\n"
        let long = String(repeating: "l", count: 5000) + "\n"
        for line in [half, half, half, long, "end\n"] { add(line, to: &backlog) }
        #expect(
            drained(&backlog) == [half + half, half, String(repeating: "l", count: 4096), long.suffix(905) + "end\n"])
        #expect(backlog.lost == 0)
    }

    @Test("What was taken in part goes on where it stopped")
    func partly() {
        var backlog = LogBacklog()
        add("one\n", to: &backlog)
        backlog.wrote(2)
        add("two\n", to: &backlog)
        #expect(drained(&backlog) == ["e\ntwo\n"])
    }

    @Test("So many bytes are kept, in whole lines; the others are counted")
    func limit() {
        var backlog = LogBacklog()
        let line = String(repeating: "x", count: 1023) + "\n"
        for _ in 0..<1030 { add(line, to: &backlog) }
        #expect(backlog.lost == 6)
        #expect(drained(&backlog).joined() == String(repeating: line, count: 1024))
        add("again\n", to: &backlog)
        #expect(drained(&backlog) == ["again\n"])
    }

    @Test("The line that tells of lost ones counts as those if it is lost itself")
    func telling() {
        var backlog = LogBacklog()
        for _ in 0..<3 { backlog.lose() }
        backlog.tell(Array("three are missing\n".utf8))
        add("next\n", to: &backlog)
        #expect(backlog.lost == 0)
        backlog.giveUp()
        #expect(backlog.lost == 4 && backlog.isEmpty)
        backlog.tell(Array("\nfour are missing\n".utf8))
        backlog.giveUp()
        #expect(backlog.lost == 4)
        backlog.tell(Array("four are missing\n".utf8))
        add("next\n", to: &backlog)
        #expect(drained(&backlog) == ["four are missing\nnext\n"])
        add("last\n", to: &backlog)
        backlog.giveUp()
        #expect(backlog.lost == 1)
    }
}

extension LogBacklog {
    fileprivate mutating func tell(_ line: [UInt8]) { line.withUnsafeBytes { tell($0) } }
}

/// A log whose reader is the test, with a real pipe between.
@Suite("Log sink", .blocking)
struct LogSinkTests {
    private let form = LogForm(format: .text, timestamp: .unixSeconds)

    private func pipe() throws -> (reader: Int32, writer: Int32) {
        var ends: [Int32] = [-1, -1]
        try #require(Glibc.pipe(&ends) == 0)
        return (ends[0], ends[1])
    }

    /// Reads until the pipe's other end is closed.
    private func everything(from reader: Int32) -> [Substring] {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while case let n = read(reader, &buffer, buffer.count), n > 0 { bytes += buffer[..<n] }
        close(reader)
        return String(decoding: bytes, as: UTF8.self).split(separator: "\n")
    }

    @Test("Nobody who writes waits for a reader that has stopped; when it goes on it gets every line, in order")
    func stoppedReader() throws {
        let (reader, writer) = try pipe()
        let lines = (0..<5000).map { "line \($0) " + String(repeating: "-", count: 100) }
        do {
            let sink = LogSink(writer, isOwned: true, form: form)
            for line in lines { sink.put(line + "\n") }  // half a megabyte: the pipe holds 64 KiB
        }
        #expect(everything(from: reader).map(String.init) == lines)
    }

    @Test("What is too much is told in its place")
    func missingLines() throws {
        let (reader, writer) = try pipe()
        let count = 20_000
        do {
            let sink = LogSink(writer, isOwned: true, form: form)
            for number in 0..<count { sink.put("line \(number) " + String(repeating: "-", count: 100) + "\n") }
        }
        let lines = everything(from: reader)
        let told = try #require(lines.last)
        let missing = try #require(told.firstMatch(of: #/Warning: (\d+) lines are missing here: /#)).1
        #expect(lines.count - 1 + (try #require(Int(missing))) == count)
        for (number, line) in lines.dropLast().enumerated() { #expect(line.hasPrefix("line \(number) ")) }
    }
}
