import Glibc
import MQTTTestKit
import Testing

extension BrokerProcess {
    /// Waits until a whole line of the log matches; false where none came.
    func logs(_ pattern: String, withinMilliseconds limit: Int = patienceMilliseconds) throws -> Bool {
        let line = try Regex(pattern)
        return try Deadline(milliseconds: limit).wait {
            try log.split(separator: "\n").contains { try line.wholeMatch(in: $0) != nil }
        }
    }

    /// Lines of the log that match whole.
    func logLines(_ pattern: String) throws -> [Substring] {
        let line = try Regex(pattern)
        return try log.split(separator: "\n").filter { try line.wholeMatch(in: $0) != nil }
    }

    /// Resident memory of the process, bytes; 0 where it has gone.
    var residentBytes: Int {
        for line in textFile("/proc/\(pid)/status").split(separator: "\n") where line.hasPrefix("VmRSS:") {
            return (line.split(whereSeparator: { !$0.isNumber }).first.flatMap { Int($0) } ?? 0) * 1024
        }
        return 0
    }
}

/// A small file as text; empty where it cannot be read.
func textFile(_ path: String) -> String {
    guard let file = fopen(path, "r") else { return "" }
    defer { fclose(file) }
    var buffer = [UInt8](repeating: 0, count: 65_536)
    let count = fread(&buffer, 1, buffer.count, file)
    return String(decoding: buffer.prefix(count), as: UTF8.self)
}

extension RawClient {
    /// As `connected`, with patience for a busy machine; `receiveBufferBytes` makes a reader that is soon full.
    static func patient(
        _ broker: BrokerProcess, id: String = unique("c"), version: UInt8 = 4, cleanStart: Bool = true,
        will: Wire.Will? = nil, properties: [Property] = [], receiveBufferBytes: Int32? = nil,
        file: StaticString = #fileID, line: UInt = #line
    ) throws -> RawClient {
        let client = try RawClient(
            broker, version: version, deadlineMilliseconds: patienceMilliseconds,
            receiveBufferBytes: receiveBufferBytes, file: file, line: line)
        try client.connect(
            id: id, version: version, cleanStart: cleanStart, will: will, properties: properties, file: file, line: line
        )
        return client
    }

    /// Receives this many PUBLISH packets and finishes their handshakes; the payloads in order of arrival.
    func payloads(_ count: Int, file: StaticString = #fileID, line: UInt = #line) throws -> [String] {
        var all: [String] = []
        for _ in 0..<count { all.append(try receivePublish(file: file, line: line).payloadText) }
        return all
    }
}
