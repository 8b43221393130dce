import NIOCore

/// MQTT over WebSocket at the client's end, one handler for the request and the frames: bytes of MQTT to the right, frames to
/// the left. Output gathered between two flushes is one binary frame, however many packets it holds.
/// Before: the socket, or TLS. After: MQTT.
final class WebSocketClientHandler: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private enum State {
        /// Not connected yet.
        case idle
        /// The request is out; what came of the answer.
        case asked([UInt8])
        case open(WebSocketReader)
        case closing
    }

    private var state = State.idle
    private let opening: WebSocketOpening
    private var random: any RandomNumberGenerator
    /// Writes since the last flush, and their bytes.
    private var waiting: [(buffer: ByteBuffer, promise: EventLoopPromise<Void>?)] = []
    private var waitingBytes = 0

    /// - Parameter random: for the key and the masks, which nobody on the way may guess.
    init(
        _ endpoint: Endpoint, _ options: Endpoint.WebSocket,
        random: any RandomNumberGenerator = SystemRandomNumberGenerator()
    ) {
        var random = random
        let key = (0..<16).map { _ in UInt8.random(in: 0...255, using: &random) }
        opening = WebSocketOpening(endpoint, options, key: key)
        self.random = random
    }

    // MARK: Opening

    func handlerAdded(context: ChannelHandlerContext) {
        if context.channel.isActive { ask(context) }
    }

    /// TLS, if it comes before us, keeps the request until its handshake is done.
    func channelActive(context: ChannelHandlerContext) {
        ask(context)
        context.fireChannelActive()
    }

    private func ask(_ context: ChannelHandlerContext) {
        guard case .idle = state else { return }
        state = .asked([])
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: opening.request)), promise: nil)
    }

    private func readAnswer(_ context: ChannelHandlerContext, _ start: [UInt8], _ bytes: ByteBuffer) {
        let all = start + Array(bytes.readableBytesView)
        do throws(TransportFault) {
            guard let end = try opening.judge(all) else {
                state = .asked(all)
                return
            }
            state = .open(WebSocketReader(isMasked: false))
            context.fireUserInboundEventTriggered(TransportEvent.webSocketOpened)
            guard all.count > end else { return }
            all.withUnsafeBytes { readFrames(context, UnsafeRawBufferPointer(rebasing: $0[end...])) }
        } catch {
            state = .closing
            context.fireErrorCaught(error)
        }
    }

    // MARK: In

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        switch state {
        case .asked(let start): readAnswer(context, start, bytes)
        case .open: bytes.withUnsafeReadableBytes { readFrames(context, $0) }
        case .idle, .closing: break
        }
    }

    private func readFrames(_ context: ChannelHandlerContext, _ bytes: UnsafeRawBufferPointer) {
        guard case .open(var reader) = state else { return }
        var output = context.channel.allocator.buffer(capacity: bytes.count)
        let result: Result<[WebSocketReader.Control], WebSocketReader.Fault>
        do throws(WebSocketReader.Fault) { result = .success(try reader.read(bytes, into: &output)) } catch {
            result = .failure(error)
        }
        state = .open(reader)
        // What came before a fault still counts.
        if output.readableBytes > 0 { context.fireChannelRead(wrapInboundOut(output)) }
        guard case .open = state else { return }
        switch result {
        case .success(let controls): answer(controls, context)
        case .failure(let fault):
            end(context, code: fault.code, told: "the server broke the WebSocket protocol: \(fault.reason)")
        }
    }

    private func answer(_ controls: [WebSocketReader.Control], _ context: ChannelHandlerContext) {
        for case .close(let code) in controls {
            let code = code ?? WebSocketFrame.normalClosure
            let isUsual = code == WebSocketFrame.normalClosure
            return end(context, code: code, told: isUsual ? nil : "the server closed the WebSocket, code \(code)")
        }
        // Only the latest ping wants an answer (§5.5.3), and none where the server does not take what it has already.
        guard case .ping(let payload) = controls.last, context.channel.isWritable else { return }
        let pong = WebSocketFrame.whole(opcode: WebSocketFrame.pong, payload, mask: WebSocketMask(using: &random))
        context.writeAndFlush(wrapOutboundOut(pong), promise: nil)
    }

    /// Says goodbye and closes.
    private func end(_ context: ChannelHandlerContext, code: UInt16, told reason: String?) {
        sendClose(context, code: code)
        if let reason { context.fireErrorCaught(TransportFault(stage: "WebSocket", reason: reason)) }
        context.close(promise: nil)
    }

    private func sendClose(_ context: ChannelHandlerContext, code: UInt16) {
        state = .closing
        let goodbye = WebSocketFrame.whole(
            opcode: WebSocketFrame.close, WebSocketFrame.goodbye(code: code, reason: ""),
            mask: WebSocketMask(using: &random))
        context.writeAndFlush(wrapOutboundOut(goodbye), promise: nil)
    }

    // MARK: Out

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        let buffer = unwrapOutboundIn(data)
        waitingBytes += buffer.readableBytes
        waiting.append((buffer, promise))
    }

    func flush(context: ChannelHandlerContext) {
        guard !waiting.isEmpty else { return context.flush() }
        let writes = waiting
        waiting.removeAll(keepingCapacity: writes.count == 1)
        let promise = Self.joined(writes.compactMap(\.promise), context.eventLoop)
        var frame = context.channel.allocator.buffer(capacity: waitingBytes == 0 ? 0 : waitingBytes + 14)
        if waitingBytes > 0 {
            var mask = WebSocketMask(using: &random)
            WebSocketFrame.writeHeader(
                opcode: WebSocketFrame.binary, length: waitingBytes, mask: mask, to: &frame)
            for write in writes { write.buffer.withUnsafeReadableBytes { mask.apply(to: $0, into: &frame) } }
            waitingBytes = 0
        }
        context.writeAndFlush(wrapOutboundOut(frame), promise: promise)
    }

    /// One promise that keeps all of them.
    private static func joined(
        _ promises: [EventLoopPromise<Void>], _ loop: any EventLoop
    ) -> EventLoopPromise<Void>? {
        guard promises.count > 1 else { return promises.first }
        let all = loop.makePromise(of: Void.self)
        for promise in promises { all.futureResult.cascade(to: promise) }
        return all
    }

    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        flush(context: context)
        if case .open = state { sendClose(context, code: WebSocketFrame.normalClosure) }
        context.close(mode: mode, promise: promise)
    }

    func channelInactive(context: ChannelHandlerContext) {
        state = .closing
        let writes = waiting
        waiting = []
        waitingBytes = 0
        for write in writes { write.promise?.fail(ChannelError.ioOnClosedChannel) }
        context.fireChannelInactive()
    }
}
