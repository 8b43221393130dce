import MQTTTransport
import NIOCore

/// Target `transport`: what reads a stranger's first bytes. The first byte chooses: PROXY header 1 or 2, the request of a
/// WebSocket, or its frames. Cut anywhere, they come to the same.
@_cdecl("martlet_fuzz_transport")
package func fuzzTransport(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    var bytes = FuzzBytes(data, size)
    switch bytes.byte() & 3 {
    case 0: checkProxy(bytes.takeAll(), .v1)
    case 1: checkProxy(bytes.takeAll(), .v2)
    case 2: checkRequest(bytes.takeAll())
    default:
        let piece = Int(bytes.byte() & 31) + 1
        checkFrames(bytes.takeAll(), piece: piece)
    }
    return 0
}

/// A header that is whole is whole at its last byte, and not before.
private func checkProxy(_ bytes: [UInt8], _ version: ProxyHeader.Version) {
    guard let (header, count) = try? ProxyHeader.parse(bytes, version) else { return }
    require(count <= bytes.count, "read beyond the end")
    let whole = Array(bytes[..<count])
    require((try? ProxyHeader.parse(whole, version))?.header == header, "what follows changes the header")
    for end in [0, 1, count / 2, count - 1] where end < count {
        do throws(ProxyHeader.Malformed) {
            require(
                try ProxyHeader.parse(Array(whole[..<end]), version) == nil, "\(end) of \(count) bytes are a header")
        } catch { preconditionFailure("\(end) of \(count) bytes are malformed: \(error)") }
    }
}

private func checkRequest(_ bytes: [UInt8]) {
    guard let request = try? WebSocketRequest.parse(bytes, bytesMax: 4096, origins: []) else { return }
    require(request.bytes <= min(bytes.count, 4096), "read beyond the end, or the limit")
    require(request.key.utf8.count == 24, "a key of \(request.key.utf8.count) bytes")
    let whole = Array(bytes[..<request.bytes])
    require(
        (try? WebSocketRequest.parse(whole, bytesMax: 4096, origins: [])) == request, "what follows changes the request"
    )
    for end in [0, 1, request.bytes / 2, request.bytes - 1] where end < request.bytes {
        require(
            (try? WebSocketRequest.parse(Array(whole[..<end]), bytesMax: 4096, origins: [])) == .some(nil),
            "half a request")
    }
    require((try? WebSocketRequest.parse(whole, bytesMax: 4096, origins: ["none"])) == nil, "an origin nobody listed")
}

/// In one piece or in many: the same payload, the same controls, the same fault.
private func checkFrames(_ bytes: [UInt8], piece: Int) {
    // As a client's, which are masked, and as a server's, which are not.
    for isMasked in [true, false] { checkFrames(bytes, piece: piece, isMasked: isMasked) }
}

private func checkFrames(_ bytes: [UInt8], piece: Int, isMasked: Bool) {
    let (whole, controls, fault) = read(bytes, piece: .max, isMasked: isMasked)
    let (parts, partControls, partFault) = read(bytes, piece: piece, isMasked: isMasked)
    require(whole == parts, "payload differs in pieces of \(piece)")
    require(fault == partFault, "\(String(describing: fault)) whole, \(String(describing: partFault)) in pieces")
    require(fault != nil || controls == partControls, "controls differ")
    require(whole.count <= bytes.count, "more came out than went in")
}

private func read(
    _ bytes: [UInt8], piece: Int, isMasked: Bool
) -> (payload: [UInt8], controls: [WebSocketReader.Control], fault: WebSocketReader.Fault?) {
    var reader = WebSocketReader(isMasked: isMasked)
    var output = ByteBuffer()
    var controls: [WebSocketReader.Control] = []
    var at = 0
    while at < bytes.count {
        let end = piece < bytes.count - at ? at + piece : bytes.count
        let result = bytes[at..<end].withUnsafeBytes { part in
            Result { () throws(WebSocketReader.Fault) in try reader.read(part, into: &output) }
        }
        switch result {
        case .success(let asked): controls += asked
        case .failure(let fault): return (Array(output.readableBytesView), controls, fault)
        }
        at = end
    }
    return (Array(output.readableBytesView), controls, nil)
}
