import NIOConcurrencyHelpers

/// Lets a listener's failures into the log one by one until there are many, then counts them: whoever floods a port must not
/// flood the log too.
final class FailurePace: Sendable {
    /// Lines of one window.
    static let linesMax = 20
    /// Seconds a window is long.
    static let windowSeconds = 10

    private struct Window {
        var lines = 0
        var unsaid = 0
    }

    private let window = NIOLockedValueBox(Window())

    /// What to do about a failure.
    enum Turn: Equatable {
        /// Write it. The first of a window is followed by `windowEnded` after `windowSeconds`.
        case write(isFirst: Bool)
        case count
    }

    func failure() -> Turn {
        window.withLockedValue { window in
            guard window.lines < FailurePace.linesMax else {
                window.unsaid += 1
                return .count
            }
            window.lines += 1
            return .write(isFirst: window.lines == 1)
        }
    }

    /// Begins anew and returns how many failures were only counted.
    func windowEnded() -> Int {
        window.withLockedValue { window in
            defer { window = Window() }
            return window.unsaid
        }
    }
}
