import NIOCore
import NIOPosix
import Synchronization

/// A relay that shows what passes. It changes nothing: every byte goes on as it came, and a side that is slow makes the other
/// wait.
package final class Wiretap: Sendable {
    package struct Address: Sendable, Hashable, CustomStringConvertible {
        package let host: String
        package let port: Int

        /// `PORT`, `HOST:PORT`, `[::1]:PORT`, or `HOST` alone where there is a default port.
        package init?(_ text: String, host: String, port: Int? = nil) {
            if let number = Int(text) {
                (self.host, self.port) = (host, number)
            } else if text.hasPrefix("["), let end = text.firstIndex(of: "]") {
                let rest = text[text.index(after: end)...]
                guard let number = rest.isEmpty ? port : Int(rest.dropFirst()) else { return nil }
                (self.host, self.port) = (String(text[text.index(after: text.startIndex)..<end]), number)
            } else if let colon = text.lastIndex(of: ":") {
                guard let number = Int(text[text.index(after: colon)...]) else { return nil }
                (self.host, self.port) = (String(text[..<colon]), number)
            } else {
                guard let port else { return nil }
                (self.host, self.port) = (text, port)
            }
            guard (0...65_535).contains(self.port), !self.host.isEmpty else { return nil }
        }

        package var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
    }

    /// Where it listens: the real port where 0 was asked for.
    package let port: Int
    private let channel: any Channel
    private let passed: Counter

    /// Both directions together.
    package var bytesPassed: Int { passed.bytes.load(ordering: .relaxed) }

    fileprivate final class Counter: Sendable {
        let bytes = Atomic<Int>(0)
    }

    /// Begins to listen.
    /// - Parameters:
    ///   - hexBytesMax: of each piece that cannot be read, so many bytes are shown.
    ///   - show: is given each line, on an event loop; nil = bytes are counted and nothing is read.
    /// - Throws: what the system says where the address cannot be listened on.
    package init(
        on listen: Address, to target: Address, hexBytesMax: Int = 128, show: (@Sendable (String) -> Void)?
    ) async throws {
        let begin = ContinuousClock.now
        let passed = Counter()
        self.passed = passed
        let numbers = NIOLoopBoundBox.makeEmptyBox(
            valueType: Int.self, eventLoop: MultiThreadedEventLoopGroup.singleton.next())
        let loop = numbers.eventLoop
        channel = try await ServerBootstrap(group: loop, childGroup: loop)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.autoRead, value: false)
            .childChannelInitializer { near in
                let number = (numbers.value ?? 0) + 1
                numbers.value = number
                let tap = Tap(number: number, TappedStream(hexBytesMax: hexBytesMax), begin: begin, passed, show: show)
                return near.eventLoop.makeCompletedFuture {
                    try near.pipeline.syncOperations.addHandler(TapHandler(tap, .fromClient, target: target))
                }
            }
            .bind(host: listen.host, port: listen.port).get()
        port = channel.localAddress?.port ?? listen.port
    }

    /// Stops listening; connections that are there go on.
    package func close() async { try? await channel.close() }

    /// Waits until it is closed.
    package func run() async { try? await channel.closeFuture.get() }
}

/// What both directions of one connection share, on its loop.
private final class Tap {
    private let number: Int
    private let begin: ContinuousClock.Instant
    private let show: (@Sendable (String) -> Void)?
    private let counter: Wiretap.Counter
    private var stream: TappedStream

    init(
        number: Int, _ stream: TappedStream, begin: ContinuousClock.Instant, _ counter: Wiretap.Counter,
        show: (@Sendable (String) -> Void)?
    ) {
        (self.number, self.stream, self.begin, self.show) = (number, stream, begin, show)
        self.counter = counter
    }

    func say(_ arrow: String, _ text: String) {
        guard let show else { return }
        let elapsed = (ContinuousClock.now - begin).components
        let milliseconds = Int(elapsed.attoseconds / 1_000_000_000_000_000)
        let padded = String(repeating: "0", count: 3 - String(milliseconds).count) + String(milliseconds)
        show("\(elapsed.seconds).\(padded) #\(number) \(arrow) \(text)")
    }

    func passed(_ bytes: ByteBuffer, _ direction: TappedStream.Direction) {
        counter.bytes.wrappingAdd(bytes.readableBytes, ordering: .relaxed)
        guard show != nil else { return }
        for line in stream.read([UInt8](bytes.readableBytesView), direction) {
            say(direction == .fromClient ? "→" : "←", line)
        }
    }
}

/// One end of a connection: what comes goes to the other end, which is read on when it has been written.
private final class TapHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let tap: Tap
    private let direction: TappedStream.Direction
    /// Where the near end's other side is to be; nil at the far end.
    private let target: Wiretap.Address?
    var other: (any Channel)?

    init(_ tap: Tap, _ direction: TappedStream.Direction, target: Wiretap.Address? = nil) {
        (self.tap, self.direction, self.target) = (tap, direction, target)
    }

    func channelActive(context: ChannelHandlerContext) {
        guard let target else { return }
        tap.say("·", "connected from \(context.remoteAddress.map { "\($0)" } ?? "?"), on to \(target)")
        let near = context.channel
        let far = TapHandler(tap, .fromServer)
        far.other = near
        let bound = NIOLoopBound((self, far), eventLoop: context.eventLoop)
        ClientBootstrap(group: context.eventLoop).channelOption(.autoRead, value: false)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(bound.value.1)
                }
            }
            .connect(host: target.host, port: target.port).whenComplete { result in
                switch result {
                case .success(let channel):
                    bound.value.0.other = channel
                    near.read()
                    channel.read()
                    if !near.isActive { channel.close(promise: nil) }
                case .failure(let error):
                    bound.value.0.tap.say("·", "\(target) cannot be reached: \(error)")
                    near.close(promise: nil)
                }
            }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        tap.passed(bytes, direction)
        let here = context.channel
        other?.writeAndFlush(bytes).whenComplete { _ in here.read() }
    }

    func channelInactive(context: ChannelHandlerContext) {
        tap.say("·", direction == .fromClient ? "the client has closed" : "the server has closed")
        other?.writeAndFlush(ByteBuffer()).whenComplete { [other] _ in other?.close(promise: nil) }
        other = nil
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
