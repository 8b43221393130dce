package import NIOCore

/// MQTT over WebSocket, one handler for the request and the frames: bytes of MQTT to the right, frames to the left.
/// Output gathered between two flushes is one binary frame, however many packets it holds.
/// Before: the socket, or TLS. After: MQTT.
package final class WebSocketHandler: ChannelInboundHandler, ChannelOutboundHandler {
    package typealias InboundIn = ByteBuffer
    package typealias InboundOut = ByteBuffer
    package typealias OutboundIn = ByteBuffer
    package typealias OutboundOut = ByteBuffer

    private enum State {
        /// What came of the request.
        case request([UInt8])
        case open(WebSocketReader)
        case closing
    }

    private var state = State.request([])
    private let headersBytesMax: Int
    private let origins: [String]
    /// Writes since the last flush, and their bytes.
    private var waiting: [(buffer: ByteBuffer, promise: EventLoopPromise<Void>?)] = []
    private var waitingBytes = 0

    /// How long a refused browser gets to take its answer.
    private static let refusalGrace = TimeAmount.seconds(2)

    package init(headersBytesMax: Int, origins: [String]) {
        self.headersBytesMax = headersBytesMax
        self.origins = origins
    }

    // MARK: In

    package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        switch state {
        case .request(let start): readRequest(context, start, bytes)
        case .open: bytes.withUnsafeReadableBytes { readFrames(context, $0) }
        case .closing: break
        }
    }

    private func readRequest(_ context: ChannelHandlerContext, _ start: [UInt8], _ bytes: ByteBuffer) {
        // Anything a client sends behind its request may follow it at once.
        let all = start + Array(bytes.readableBytesView)
        do throws(WebSocketRequest.Refusal) {
            guard let request = try WebSocketRequest.parse(all, bytesMax: headersBytesMax, origins: origins) else {
                state = .request(all)
                return
            }
            state = .open(WebSocketReader(isMasked: true))
            context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: request.response)), promise: nil)
            context.fireUserInboundEventTriggered(TransportEvent.webSocketOpened)
            guard all.count > request.bytes else { return }
            all.withUnsafeBytes { readFrames(context, UnsafeRawBufferPointer(rebasing: $0[request.bytes...])) }
            context.fireChannelReadComplete()
        } catch {
            state = .closing
            let refusal = error
            context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: refusal.response)), promise: nil)
            context.fireErrorCaught(
                TransportFault(stage: "WebSocket", reason: "\(refusal.status.rawValue), \(refusal.reason)"))
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
            sendClose(context, code: fault.code, reason: fault.reason)
            context.fireErrorCaught(TransportFault(stage: "WebSocket", reason: fault.reason))
            context.close(promise: nil)
        }
    }

    private func answer(_ controls: [WebSocketReader.Control], _ context: ChannelHandlerContext) {
        for control in controls {
            switch control {
            case .close(let code): return end(context, code: code ?? WebSocketFrame.normalClosure, reason: "")
            case .ping: break
            }
        }
        // Only the latest ping wants an answer (§5.5.3), and none where the client does not take what it has already.
        guard case .ping(let payload) = controls.last, context.channel.isWritable else { return }
        context.writeAndFlush(wrapOutboundOut(WebSocketFrame.whole(opcode: WebSocketFrame.pong, payload)), promise: nil)
    }

    /// Says goodbye and closes.
    private func end(_ context: ChannelHandlerContext, code: UInt16, reason: String) {
        sendClose(context, code: code, reason: reason)
        context.close(promise: nil)
    }

    private func sendClose(_ context: ChannelHandlerContext, code: UInt16, reason: String) {
        state = .closing
        let goodbye = WebSocketFrame.goodbye(code: code, reason: reason)
        context.writeAndFlush(
            wrapOutboundOut(WebSocketFrame.whole(opcode: WebSocketFrame.close, goodbye)), promise: nil)
    }

    // MARK: Out

    package func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        let buffer = unwrapOutboundIn(data)
        waitingBytes += buffer.readableBytes
        waiting.append((buffer, promise))
    }

    package func flush(context: ChannelHandlerContext) {
        guard !waiting.isEmpty else { return context.flush() }
        if waitingBytes > 0 {
            var header = context.channel.allocator.buffer(capacity: 10)
            WebSocketFrame.writeHeader(opcode: WebSocketFrame.binary, length: waitingBytes, to: &header)
            context.write(wrapOutboundOut(header), promise: nil)
        }
        let writes = waiting
        waiting.removeAll(keepingCapacity: writes.count == 1)
        waitingBytes = 0
        for write in writes { context.write(wrapOutboundOut(write.buffer), promise: write.promise) }
        context.flush()
    }

    package func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        flush(context: context)
        if case .open = state { sendClose(context, code: WebSocketFrame.normalClosure, reason: "") }
        context.close(mode: mode, promise: promise)
    }

    package func channelInactive(context: ChannelHandlerContext) {
        state = .closing
        let writes = waiting
        waiting = []
        waitingBytes = 0
        for write in writes { write.promise?.fail(ChannelError.ioOnClosedChannel) }
        context.fireChannelInactive()
    }
}
