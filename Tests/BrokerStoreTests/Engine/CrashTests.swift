import BrokerCore
import BrokerStore
import Foundation
import Glibc
import MQTTProtocol
import Testing

/// A process that writes is killed; what it was answered is there.
@Suite("Killed while it writes", .blocking)
struct CrashTests {
    @Test("everything that was answered is there, in order, and nothing twice", arguments: ["sync", "os", "interval"])
    func killed(_ durability: String) throws {
        let scratch = try Scratch()
        let path = scratch.directory + "/martlet.db"
        var expected: [UInt64] = []
        for round in 0..<7 {
            let process = Process()
            process.executableURL = URL(fileURLWithPath: Self.program)
            process.arguments = ["endure", scratch.directory, durability]
            let output = Pipe()
            process.standardOutput = output
            try process.run()
            // It tells each answer on a line: where the message stands. At some line of its own choice it is killed.
            var text: [UInt8] = []
            let linesWanted = 40 + round * 97
            var lines = 0
            while lines < linesWanted {
                let more = [UInt8](output.fileHandleForReading.availableData)
                try #require(!more.isEmpty, "the writer ended")
                lines += more.count { $0 == UInt8(ascii: "\n") }
                text += more
            }
            kill(process.processIdentifier, SIGKILL)
            process.waitUntilExit()
            text += [UInt8](try output.fileHandleForReading.readToEnd() ?? Data())
            let whole = String(decoding: text, as: UTF8.self)
            // The last line may have been cut.
            for line in whole.split(separator: "\n", omittingEmptySubsequences: false).dropLast() {
                expected.append(try #require(UInt64(line)))
            }
            let store = try WaitingStore(path)
            #expect(try store.store.check() == [])
            let found = try store.read(QueueID(1))
            let positions = found.map(\.position.value)
            #expect(Set(expected).subtracting(positions).isEmpty, "round \(round)")
            #expect(positions == positions.sorted())
            #expect(Set(positions).count == positions.count)
            // Each says its number; none is missing between.
            let numbers = found.map { UInt64(String(decoding: $0.message.payload, as: UTF8.self)) ?? 0 }
            #expect(numbers == Array(0..<UInt64(numbers.count)))
            try store.close()
        }
    }

    /// Beside the test binary.
    private static var program: String {
        let binary = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        return URL(fileURLWithPath: binary).deletingLastPathComponent().appendingPathComponent("store-benchmark").path
    }
}
