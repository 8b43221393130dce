import Glibc
import MQTTTools
import Synchronization

/// What a command says beside its result: complaints, and progress where a person is watching.
enum Terminal {
    private static let lastShown = Mutex(-1)

    static func complain(_ text: String) {
        var text = text + "\n"
        _ = text.withUTF8 { write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }

    /// A line of the result, at once, also into a pipe.
    static func say(_ text: String) {
        var text = text + "\n"
        _ = text.withUTF8 { write(STDOUT_FILENO, $0.baseAddress, $0.count) }
    }

    /// Asks a person, without showing what is typed; `nil` where there is none, or nothing was typed.
    static func askSecretly(_ question: String) -> [UInt8]? {
        SecretPrompt.ask(question, at: STDIN_FILENO, questionTo: STDERR_FILENO)
    }

    /// Shows how far a long work is, on a terminal only, at most once a percent.
    static func progress(_ what: String, _ done: Int, _ whole: Int) {
        guard whole > 0, isatty(STDERR_FILENO) == 1 else { return }
        let percent = min(100, Int(Double(done) * 100 / Double(whole)))
        let isNew = lastShown.withLock { last in
            defer { last = percent }
            return last != percent
        }
        if isNew { show("\r\(what) … \(percent) %") }
    }

    /// Takes the progress away again.
    static func endProgress() {
        let wasShown = lastShown.withLock { last in
            defer { last = -1 }
            return last >= 0
        }
        if wasShown { show("\r\u{1B}[K") }
    }

    static func green(_ text: String) -> String { coloured(text, "32") }
    static func red(_ text: String) -> String { coloured(text, "31") }

    /// https://no-color.org
    private static func coloured(_ text: String, _ code: String) -> String {
        isatty(STDOUT_FILENO) == 1 && getenv("NO_COLOR") == nil ? "\u{1B}[\(code)m\(text)\u{1B}[0m" : text
    }

    private static func show(_ text: String) {
        var text = text
        _ = text.withUTF8 { write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }
}
