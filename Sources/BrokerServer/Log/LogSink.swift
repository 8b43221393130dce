import BrokerConfiguration
import Dispatch
import Glibc
import NIOConcurrencyHelpers

/// One descriptor that log lines go to. Its reader may stop at any time: a pipe nobody empties, a terminal after Ctrl-S. Then
/// lines wait for it in `LogBacklog`, and whoever wrote them goes on: a loop that waited here would hold every client up.
final class LogSink: Sendable {
    private struct State {
        var form: LogForm
        var backlog = LogBacklog()
        /// A thread waits for the reader; lines line up behind those it has.
        var isDraining = false
        /// What was written last was not the end of a line.
        var isInsideLine = false
    }

    private let descriptor: Int32
    private let isOwned: Bool
    private let state: NIOLockedValueBox<State>
    private let queue = DispatchQueue(label: "martlet.log")
    private let drains = DispatchGroup()

    /// - Parameters:
    ///   - isOwned: it is closed in the end.
    ///   - form: of the line that says how many are missing.
    init(_ descriptor: Int32, isOwned: Bool, form: LogForm) {
        self.descriptor = descriptor
        self.isOwned = isOwned
        state = NIOLockedValueBox(State(form: form))
    }

    deinit {
        if isOwned { close(descriptor) }
    }

    func setForm(_ form: LogForm) { state.withLockedValue { $0.form = form } }

    /// Writes a line, which ends as lines do, or has it wait. Never waits itself.
    func put(_ line: String) {
        var line = line
        state.withLockedValue { state in
            line.withUTF8 { put(UnsafeRawBufferPointer($0), &state) }
        }
    }

    private func put(_ line: UnsafeRawBufferPointer, _ state: inout State) {
        guard !state.isDraining else { return state.backlog.add(line) }
        guard state.backlog.lost == 0 else {
            tellOfLost(&state)
            state.backlog.add(line)
            return drainNow(&state)
        }
        var at = 0
        while at < line.count, isReady(waiting: false) {
            // Where it is ready it takes as much as this without waiting.
            let piece = UnsafeRawBufferPointer(rebasing: line[at...].prefix(LogBacklog.pieceBytesMax))
            guard let n = write(piece) else { return state.backlog.lose() }
            if n == 0 { break }
            at += n
            state.isInsideLine = at < line.count
        }
        guard at < line.count else { return }
        let rest = UnsafeRawBufferPointer(rebasing: line[at...])
        if at > 0 { state.backlog.keep(rest) } else { state.backlog.add(rest) }
        drainLater(&state)
    }

    /// Lines go elsewhere from now on: what is missing here is told here.
    func finish() {
        state.withLockedValue { state in
            guard !state.isDraining, state.backlog.lost > 0 else { return }
            tellOfLost(&state)
            drainNow(&state)
        }
    }

    /// Writes what waits as long as that needs no waiting.
    private func drainNow(_ state: inout State) {
        while !state.backlog.isEmpty {
            guard isReady(waiting: false) else { return drainLater(&state) }
            let piece = state.backlog.piece
            guard let n = piece.withUnsafeBytes(write) else { return state.backlog.giveUp() }
            if n == 0 { return drainLater(&state) }
            wrote(n, of: piece, &state)
        }
    }

    private func wrote(_ count: Int, of piece: ArraySlice<UInt8>, _ state: inout State) {
        state.backlog.wrote(count)
        state.isInsideLine = piece[piece.startIndex + count - 1] != UInt8(ascii: "\n")
    }

    private func drainLater(_ state: inout State) {
        guard !state.isDraining else { return }
        state.isDraining = true
        queue.async(group: drains) { self.drain() }
    }

    /// Writes what waits, on a thread that may wait as well.
    private func drain() {
        while let piece = nextPiece() {
            guard isReady(waiting: true), let n = piece.withUnsafeBytes(write) else {
                // A full disk, a reader that has gone: a log that cannot be written does not stop the broker.
                return state.withLockedValue { state in
                    state.backlog.giveUp()
                    state.isDraining = false
                }
            }
            if n == 0 {
                usleep(1000)  // ready, but not for so much: who else writes into it?
            } else {
                state.withLockedValue { wrote(n, of: piece, &$0) }
            }
        }
    }

    /// `nil`, and lines are written at once again, when nothing waits.
    private func nextPiece() -> ArraySlice<UInt8>? {
        state.withLockedValue { state in
            if state.backlog.isEmpty {
                guard state.backlog.lost > 0 else {
                    state.isDraining = false
                    return nil
                }
                tellOfLost(&state)
            }
            return state.backlog.piece
        }
    }

    private func tellOfLost(_ state: inout State) {
        let line = state.form.line(.warning, LogForm.missing(state.backlog.lost)).whole
        var notice = state.isInsideLine ? "\n" + line : line
        notice.withUTF8 { state.backlog.tell(UnsafeRawBufferPointer($0)) }
    }

    /// Whether it takes bytes now. A disk's file always does.
    private func isReady(waiting: Bool) -> Bool {
        var entry = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        while true {
            let n = poll(&entry, 1, waiting ? -1 : 0)
            if n < 0 && errno == EINTR { continue }
            return n > 0
        }
    }

    /// How many bytes were taken, 0 where it cannot take them now; `nil` where there is no writing.
    private func write(_ bytes: UnsafeRawBufferPointer) -> Int? {
        while true {
            let n = Glibc.write(descriptor, bytes.baseAddress, bytes.count)
            if n >= 0 { return n }
            if errno == EAGAIN { return 0 }
            if errno != EINTR { return nil }
        }
    }

    /// Waits until what was put is written, not for longer than so many seconds.
    func flush(withinSeconds limit: Double) { _ = drains.wait(timeout: .now() + limit) }
}
