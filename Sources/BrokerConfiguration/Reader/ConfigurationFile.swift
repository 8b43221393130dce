import Glibc

/// The files a configuration is read from: bytes and names, nothing of what they mean.
enum ConfigurationFile {
    /// The whole file, or one byte more than `Limit.fileBytesMax` of a larger one, which the reader then refuses.
    static func read(_ path: String) throws(LineFault) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw LineFault("cannot be opened: \(reason())") }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        let chunkBytes = 65_536
        while bytes.count <= Limit.fileBytesMax {
            let wanted = min(chunkBytes, Limit.fileBytesMax + 1 - bytes.count)
            var count = 0
            let chunk = [UInt8](unsafeUninitializedCapacity: wanted) { buffer, filled in
                repeat {
                    count = Glibc.read(descriptor, buffer.baseAddress, wanted)
                } while count < 0 && errno == EINTR
                filled = max(0, count)
            }
            guard count >= 0 else { throw LineFault("cannot be read: \(reason())") }
            guard count > 0 else { break }
            bytes += chunk
        }
        return bytes
    }

    /// Names of the files in `folder` that end in `.conf`, in mosquitto's order.
    static func includable(in folder: String) throws(LineFault) -> [String] {
        guard let stream = opendir(folder) else {
            throw LineFault("names a folder that cannot be opened, \(folder): \(reason())")
        }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { tuple in
                tuple.withMemoryRebound(to: CChar.self, capacity: Int(NAME_MAX) + 1) { String(cString: $0) }
            }
            guard name.hasSuffix(".conf"), name.utf8.count > ".conf".utf8.count else { continue }
            names.append(name)
            guard names.count <= Limit.includedFilesMax else { break }
        }
        return names.sorted(by: precedes)
    }

    /// By letter, whatever its case; of two that differ in case only, upper case first: `A a B b`.
    static func precedes(_ a: String, _ b: String) -> Bool {
        a.utf8.lexicographicallyPrecedes(b.utf8) { x, y in
            let (upperX, upperY) = (uppercased(x), uppercased(y))
            return upperX == upperY ? x < y : upperX < upperY
        }
    }

    private static func uppercased(_ byte: UInt8) -> UInt8 {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) ? byte - 32 : byte
    }

    private static func reason() -> String { String(cString: strerror(errno)) }
}
