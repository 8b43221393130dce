import Foundation
import Glibc
import Testing

@testable import MQTTTransport

/// Files that settings name, and what may stand in their place.
@Suite("Files that settings name")
struct SmallFileTests {
    private func path() -> String {
        FileManager.default.temporaryDirectory.appendingPathComponent("martlet-small-\(UUID().uuidString)").path
    }

    @Test("A pipe into which nobody writes is refused in time, and holds nobody up")
    func silentPipe() throws {
        let pipe = path()
        try #require(mkfifo(pipe, 0o600) == 0)
        defer { unlink(pipe) }
        let fault = #expect(throws: SettingFault.self) { try SmallFile.read(pipe, key: "crlfile", patience: 50) }
        #expect(fault?.reason.contains("no file") == true)
    }

    @Test("A pipe that brings something is read to its end, as a shell's <(…)")
    func pipe() throws {
        var both: [CInt] = [0, 0]
        try #require(Glibc.pipe(&both) == 0)
        defer { close(both[0]) }
        let sent = [UInt8](repeating: 7, count: 40_000)
        #expect(sent.withUnsafeBytes { Glibc.write(both[1], $0.baseAddress, $0.count) } == sent.count)
        close(both[1])
        #expect(try SmallFile.read("/proc/self/fd/\(both[0])", key: "cafile") == sent)
    }

    @Test("A folder, and nothing at all")
    func others() {
        #expect(throws: SettingFault.self) { try SmallFile.read("/tmp", key: "cafile") }
        #expect(throws: SettingFault.self) { try SmallFile.read(path(), key: "cafile") }
    }
}
