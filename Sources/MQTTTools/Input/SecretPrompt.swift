import MQTTTransport
import Synchronization

#if canImport(Darwin)
import Darwin
#elseif canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Asks a person for a secret, and does not show what is typed.
package enum SecretPrompt {
    /// What a signal's handler puts back, so that no terminal is left dumb: which one, and where it stands how it was.
    private static let descriptor = Atomic<CInt>(-1)
    private static let shown = Atomic<UInt>(0)

    /// Asks at the process's own terminal, as OpenSSL does: standard input may be a pipe with something else in it.
    /// - Returns: nil where there is no terminal, or nothing was typed.
    package static func ask(_ question: String) -> [UInt8]? {
        let terminal = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY)
        guard terminal >= 0 else { return nil }
        defer { close(terminal) }
        return ask(question, at: terminal, questionTo: terminal)
    }

    /// The same elsewhere. The answer is taken byte by byte, so that what follows it is left for others.
    package static func ask(_ question: String, at terminal: CInt, questionTo output: CInt) -> [UInt8]? {
        let usual = UnsafeMutablePointer<termios>.allocate(capacity: 1)
        defer { usual.deallocate() }
        guard isatty(terminal) == 1, tcgetattr(terminal, usual) == 0 else { return nil }
        var hidden = usual.pointee
        hidden.c_lflag &= ~tcflag_t(ECHO)
        descriptor.store(terminal, ordering: .relaxed)
        shown.store(UInt(bitPattern: usual), ordering: .releasing)
        let handlers = [SIGINT, SIGTERM].map { ($0, signal($0, putBack)) }
        // First, since it throws away what has been typed: an answer may come as soon as the question is there.
        tcsetattr(terminal, TCSAFLUSH, &hidden)
        show(question, output)
        let line = line(of: terminal)
        tcsetattr(terminal, TCSAFLUSH, usual)
        show("\n", output)
        for (number, handler) in handlers { signal(number, handler) }
        shown.store(0, ordering: .releasing)
        return line.isEmpty ? nil : line
    }

    private static let putBack: @convention(c) (CInt) -> Void = { number in
        if let usual = UnsafeMutablePointer<termios>(bitPattern: SecretPrompt.shown.load(ordering: .acquiring)) {
            tcsetattr(SecretPrompt.descriptor.load(ordering: .relaxed), TCSANOW, usual)
        }
        signal(number, SIG_DFL)
        raise(number)
    }

    /// The longest that is taken, in bytes.
    private static let bytesMax = 65_535

    private static func line(of terminal: CInt) -> [UInt8] {
        var line: [UInt8] = []
        var byte: UInt8 = 0
        while line.count < bytesMax {
            let count = systemRead(terminal, &byte, 1)
            if count < 0, errno == EINTR { continue }
            guard count == 1, byte != 0x0A else { break }
            line.append(byte)
        }
        return line
    }

    private static func show(_ text: String, _ output: CInt) {
        var text = text
        text.withUTF8 { _ = systemWrite(output, $0.baseAddress, $0.count) }
    }
}
