import Glibc

/// The program with everything in it: in `lib/martlet` where Martlet is installed, in the same folder where it was built.
enum WholeProgram {
    private static var pathBytesMax: Int { 4_096 }

    /// Puts it in this process's place, with the same words.
    static func become() -> Never {
        guard let own = ownPath, let slash = own.lastIndex(of: "/") else { fail("/proc is not there") }
        let folder = own[..<slash]
        for path in ["\(folder)/../lib/martlet/martlet", "\(folder)/martlet"] where path != own {
            execv(path, CommandLine.unsafeArgv)
            guard errno == ENOENT else { fail("\(path): \(String(cString: strerror(errno)))") }
        }
        fail("\(folder)/../lib/martlet/martlet is not there; was the program moved without it?")
    }

    /// Not the name it was called by: that may be a link's.
    private static var ownPath: String? {
        var bytes = [CChar](repeating: 0, count: pathBytesMax)
        let count = readlink("/proc/self/exe", &bytes, bytes.count)
        return count > 0 ? String(decoding: bytes[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self) : nil
    }

    private static func fail(_ reason: String) -> Never {
        var text = "Error: the rest of martlet cannot be started: \(reason)\n"
        text.withUTF8 { _ = write(STDERR_FILENO, $0.baseAddress, $0.count) }
        exit(EXIT_FAILURE)
    }
}
