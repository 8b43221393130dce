import Foundation

@main
enum StoreBenchmark {
    static func main() throws {
        let arguments = CommandLine.arguments
        guard arguments.count >= 3 else {
            print("usage: store-benchmark write|drain|start|latency FOLDER [messages]")
            exit(2)
        }
        let folder = arguments[2]
        // For a test that kills this process: a store that stays.
        if arguments[1] == "endure" {
            return try Endurance.run(path: folder + "/martlet.db", arguments.count > 3 ? arguments[3] : "sync")
        }
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let path = folder + "/bench-\(getpid()).db"
        defer { for end in ["", "-wal", "-shm"] { unlink(path + end) } }
        let given = arguments.count > 3 ? Int(arguments[3]) : nil
        switch arguments[1] {
        case "write": try Measurement(path: path, messages: given ?? 10_000_000).write()
        case "drain": try Measurement(path: path, messages: given ?? 10_000_000).drain()
        case "start": try Measurement(path: path, messages: given ?? 1_000_000).start()
        case "latency": try Measurement(path: path, messages: given ?? 5000).latency()
        default: exit(2)
        }
    }
}
