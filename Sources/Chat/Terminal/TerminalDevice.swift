import Synchronization

#if canImport(Darwin)
import Darwin
#else
import Glibc
#endif

/// The terminal itself: raw mode and the alternate screen on, and off again at every end of the process that can be noticed, a
/// crash of the program included.
enum TerminalDevice {
    /// How the terminal was before; nil = as it was.
    private static let before = Mutex<termios?>(nil)

    /// Alternate screen, no line wrapping, bracketed paste.
    private static let enter = "\u{1B}[?1049h\u{1B}[?7l\u{1B}[?2004h\u{1B}[2J"
    private static let leave = "\u{1B}[0m\u{1B}[?2004l\u{1B}[?7h\u{1B}[?25h\u{1B}[?1049l"

    /// Whether a person sits at both ends, in front of something that can move its cursor.
    static var isUsable: Bool {
        guard isatty(STDIN_FILENO) == 1, isatty(STDOUT_FILENO) == 1, let name = getenv("TERM") else { return false }
        return name.pointee != 0 && strcmp(name, "dumb") != 0
    }

    static var size: TerminalSize {
        var size = winsize()
        guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0, size.ws_row > 0 else {
            return TerminalSize(columns: 80, rows: 24)
        }
        return TerminalSize(columns: Int(size.ws_col), rows: Int(size.ws_row))
    }

    static func open() {
        var settings = termios()
        guard tcgetattr(STDIN_FILENO, &settings) == 0 else { return }
        let isFirst = before.withLock { before in
            defer { before = before ?? settings }
            return before == nil
        }
        cfmakeraw(&settings)
        tcsetattr(STDIN_FILENO, TCSANOW, &settings)
        write(enter)
        guard isFirst else { return }
        atexit { TerminalDevice.close() }
        for number in [SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGABRT, SIGFPE, SIGQUIT] {
            signal(number) { number in
                TerminalDevice.close()
                signal(number, SIG_DFL)
                raise(number)
            }
        }
    }

    /// May be called often, and from a handler of a signal: it waits for nothing.
    static func close() {
        let settings = before.withLockIfAvailable { before in
            defer { before = nil }
            return before
        }
        guard var settings = settings ?? nil else { return }
        write(leave)
        tcsetattr(STDIN_FILENO, TCSANOW, &settings)
    }

    /// - Returns: false where nobody reads any more.
    @discardableResult
    static func write(_ text: String, to descriptor: CInt = STDOUT_FILENO) -> Bool {
        var text = text
        return text.withUTF8 { bytes in
            var written = 0
            while written < bytes.count {
                let base = bytes.baseAddress.map { $0 + written }
                #if canImport(Darwin)
                let count = Darwin.write(descriptor, base, bytes.count - written)
                #else
                let count = Glibc.write(descriptor, base, bytes.count - written)
                #endif
                if count > 0 {
                    written += count
                } else if errno != EINTR {
                    return false
                }
            }
            return true
        }
    }
}
