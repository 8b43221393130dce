import Foundation
import Testing

@testable import BrokerServer

@Suite("Files that are looked at")
struct FileWatchTests {
    private let folder: Folder
    private var path: String { "\(folder.path)/a.crt" }

    init() throws {
        folder = try Folder()
        try "one".write(toFile: "\(folder.path)/a.crt", atomically: false, encoding: .utf8)
    }

    private func look() -> FileStamps { FileStamps(of: [path, "\(folder.path)/missing"]) }

    @Test("the same file looks the same")
    func same() { #expect(look() == look()) }

    @Test("other content, another file of the same content, none, and one that comes: all of it is noticed")
    func changes() throws {
        var before = look()
        try "two".write(toFile: path, atomically: false, encoding: .utf8)
        #expect(look().changes(since: before) == [path])
        before = look()
        try "two".write(toFile: path, atomically: true, encoding: .utf8)
        #expect(look().changes(since: before) == [path])
        before = look()
        try FileManager.default.removeItem(atPath: path)
        try "x".write(toFile: "\(folder.path)/missing", atomically: false, encoding: .utf8)
        #expect(look().changes(since: before) == [path, "\(folder.path)/missing"])
    }

    @Test("a folder is itself and its files")
    func folders() throws {
        let before = FileStamps(of: [], folders: [folder.path])
        try "two".write(toFile: path, atomically: false, encoding: .utf8)
        #expect(FileStamps(of: [], folders: [folder.path]).changes(since: before) == [path])
    }

    @Test("what only one of two looks knows is no change")
    func others() {
        #expect(look().changes(since: FileStamps(of: [])) == [])
        #expect(FileStamps(of: []).changes(since: look()) == [])
    }

    @Test("a change is taken up when it has stayed for a look, and until it has been it is found again")
    func settles() throws {
        var watch = FileWatch(look())
        #expect(watch.look(look()) == .nothing)
        try "two".write(toFile: path, atomically: true, encoding: .utf8)
        #expect(watch.look(look()) == .unsettled)
        try "three".write(toFile: path, atomically: true, encoding: .utf8)
        #expect(watch.look(look()) == .unsettled)
        #expect(watch.look(look()) == .settled([path]))
        #expect(watch.look(look()) == .settled([path]))
        watch.take(look())
        #expect(watch.look(look()) == .nothing)
    }
}
