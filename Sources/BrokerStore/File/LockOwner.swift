import Foundation

/// Who holds a file's lock, as Linux tells. The file itself must not be opened for that: closing it again would give up
/// every lock that this process has on it.
enum LockOwner {
    static func pid(of path: String) -> Int32? {
        var status = stat()
        guard stat(path, &status) == 0, let text = try? String(contentsOfFile: "/proc/locks", encoding: .utf8) else {
            return nil
        }
        let inode = String(status.st_ino)
        for line in text.split(separator: "\n") {
            // 1: POSIX  ADVISORY  WRITE 1234 fe:01:5678 1073741824 1073742335
            let fields = line.split(separator: " ")
            guard fields.count >= 8, fields[1] == "POSIX", let pid = Int32(fields[4]), pid > 0,
                fields[5].split(separator: ":").last.map(String.init) == inode
            else { continue }
            return pid
        }
        return nil
    }
}
