#if canImport(Darwin)
import Darwin
#elseif canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// A listener's Unix socket as a file.
package enum UnixSocket {
    /// Bytes of a path at most: `sockaddr_un`, less its closing zero.
    package static let pathBytesMax = 107
    /// Owner and group may connect; whoever may write the file may.
    package static let mode: UInt16 = 0o660

    package enum Obstacle: Error, Equatable {
        /// Somebody answers there.
        case inUse
        /// There is something, and it is no socket.
        case notASocket
        case pathTooLong
        case system(String)
    }

    /// Takes away what an earlier run left at `path`, and nothing else.
    package static func clear(_ path: String) throws(Obstacle) {
        guard path.utf8.count <= pathBytesMax else { throw .pathTooLong }
        var status = stat()
        guard lstat(path, &status) == 0 else {
            if errno == ENOENT { return }
            throw .system(String(cString: strerror(errno)))
        }
        guard status.st_mode & S_IFMT == S_IFSOCK else { throw .notASocket }
        guard !isAnswered(path) else { throw .inUse }
        guard unlink(path) == 0 || errno == ENOENT else { throw .system(String(cString: strerror(errno))) }
    }

    private static func isAnswered(_ path: String) -> Bool {
        let descriptor = socket(AF_UNIX, streamSocketType, 0)
        guard descriptor >= 0 else { return true }
        defer { close(descriptor) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let result = withUnsafePointer(to: &address) { address in
            address.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        // Refused means that the file is there and nobody listens; anything else is not ours to take away.
        return result == 0 || errno != ECONNREFUSED
    }
}
