import Dispatch
import Synchronization

#if canImport(Darwin)
import Darwin
#else
import Glibc
#endif

/// Standard input and signals, read by one thread of its own: what is typed comes in pieces, the next only when it was asked for.
package final class Console: Sendable {
    package enum Input: Sendable, Equatable {
        case bytes([UInt8])
        case end
        case signal(CInt)
    }

    /// The largest piece, in bytes.
    private static let pieceBytesMax = 4_096
    /// What `ready` writes into the pipe; signals write their number.
    private static let readyByte: UInt8 = 255

    /// Where the handlers of signals write. One for the process, as signals are.
    private static let signalPipe = Atomic<CInt>(-1)

    private let readEnd: CInt
    private let writeEnd: CInt

    /// - Parameters:
    ///   - signals: those that are to be told instead of doing what they do.
    ///   - receive: called on the thread.
    package init?(signals: [CInt], receive: @escaping @Sendable (Input) -> Void) {
        var ends: [CInt] = [0, 0]
        guard pipe(&ends) == 0 else { return nil }
        (readEnd, writeEnd) = (ends[0], ends[1])
        // A handler must never wait, not even for a pipe that is full.
        _ = fcntl(writeEnd, F_SETFL, O_NONBLOCK)
        Self.signalPipe.store(writeEnd, ordering: .sequentiallyConsistent)
        for number in signals {
            signal(number) { number in
                let before = errno
                var byte = UInt8(truncatingIfNeeded: number)
                _ = write(Console.signalPipe.load(ordering: .sequentiallyConsistent), &byte, 1)
                errno = before
            }
        }
        signal(SIGPIPE, SIG_IGN)
        DispatchQueue(label: "martlet.chat.console").async { [readEnd] in Self.run(readEnd, receive) }
    }

    /// One more piece of input, please.
    package func ready() {
        var byte = Self.readyByte
        _ = write(writeEnd, &byte, 1)
    }

    private static func run(_ pipe: CInt, _ receive: @Sendable (Input) -> Void) {
        var isWanted = false
        var isOpen = true
        var piece = [UInt8](repeating: 0, count: pieceBytesMax)
        while true {
            var waits = [pollfd(fd: pipe, events: Int16(POLLIN), revents: 0)]
            if isWanted, isOpen { waits.append(pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)) }
            guard poll(&waits, nfds_t(waits.count), -1) >= 0 || errno == EINTR else { return }
            if waits[0].revents != 0 {
                let count = read(pipe, &piece, piece.count)
                guard count > 0 || errno == EINTR else { return }
                for byte in piece.prefix(max(0, count)) {
                    if byte == readyByte { isWanted = true } else { receive(.signal(CInt(byte))) }
                }
            }
            guard waits.count > 1, waits[1].revents != 0 else { continue }
            let count = read(STDIN_FILENO, &piece, piece.count)
            if count > 0 {
                isWanted = false
                receive(.bytes(Array(piece.prefix(count))))
            } else if count == 0 || errno != EINTR {
                isOpen = false
                receive(.end)
            }
        }
    }
}

/// Lines out of pieces of bytes. A line that is longer than `lineBytesMax` is cut there.
struct LineSplitter: Sendable {
    static let lineBytesMax = 65_536
    private var partial: [UInt8] = []

    /// The lines that are whole now, without their ends.
    mutating func take(_ bytes: [UInt8]) -> [String] {
        var lines: [String] = []
        for byte in bytes {
            if byte == UInt8(ascii: "\n") {
                lines.append(Self.text(partial))
                partial = []
            } else if partial.count < Self.lineBytesMax {
                partial.append(byte)
            }
        }
        return lines
    }

    /// The last line, where it had no end.
    mutating func takeRest() -> String? {
        defer { partial = [] }
        return partial.isEmpty ? nil : Self.text(partial)
    }

    private static func text(_ bytes: [UInt8]) -> String {
        String(decoding: bytes.last == UInt8(ascii: "\r") ? bytes.dropLast() : bytes[...], as: UTF8.self)
    }
}
