import MQTTTransport
import NIOCore
import NIOPosix

#if canImport(Darwin)
import Darwin
#elseif canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Standard input in blocks, read ahead by a thread of its own as far as the loop keeps up.
final class StandardInput {
    /// As much as a pipe holds, in bytes.
    private static var blockBytes: Int { 64 * 1024 }
    /// Blocks that are read and not taken yet, at most.
    private static var blocksMax: Int { 4 }

    private let loop: any EventLoop
    private let pool = NIOThreadPool(numberOfThreads: 1)
    private var blocks = CircularBuffer<[UInt8]>()
    private var isReading = false
    private(set) var isAtEnd = false
    /// Called on the loop when a block has come, or the end.
    var wake: () -> Void = {}

    init(loop: any EventLoop) {
        self.loop = loop
        pool.start()
    }

    /// The next block; nil = none yet, or none any more.
    func take() -> [UInt8]? {
        let block = blocks.popFirst()
        readAhead()
        return block
    }

    func readAhead() {
        guard !isReading, !isAtEnd, blocks.count < Self.blocksMax else { return }
        isReading = true
        pool.runIfActive(eventLoop: loop) { Self.read() }.whenComplete {
            [bound = NIOLoopBound(self, eventLoop: loop)] in
            bound.value.took((try? $0.get()) ?? [])
        }
    }

    private func took(_ block: [UInt8]) {
        isReading = false
        if block.isEmpty { isAtEnd = true } else { blocks.append(block) }
        readAhead()
        wake()
    }

    /// Empty at the end. Waits for the first byte, not for the block to be full.
    private static func read() -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: blockBytes) { buffer, count in
            var got = systemRead(STDIN_FILENO, buffer.baseAddress, buffer.count)
            while got < 0, errno == EINTR { got = systemRead(STDIN_FILENO, buffer.baseAddress, buffer.count) }
            count = max(0, got)
        }
    }
}

/// Lines of standard input, without their ends. The last needs none.
final class InputLines {
    let input: StandardInput
    private var block: [UInt8] = []
    private var at = 0
    private var partial: [UInt8] = []
    private var hasPartial = false

    init(_ input: StandardInput) { self.input = input }

    /// The next line, nil = none yet, or none any more.
    func next() -> [UInt8]? {
        while true {
            if at < block.count {
                let end = block.withUnsafeBytes { bytes -> Int? in
                    guard let base = bytes.baseAddress, let found = memchr(base + at, 0x0A, bytes.count - at) else {
                        return nil
                    }
                    return UnsafeRawPointer(found) - base
                }
                if let end {
                    defer { at = end + 1 }
                    guard hasPartial else { return Array(block[at..<end]) }
                    defer { (partial, hasPartial) = ([], false) }
                    return partial + block[at..<end]
                }
                partial += block[at...]
                hasPartial = true
                at = block.count
            }
            guard let next = input.take() else {
                guard input.isAtEnd, hasPartial else { return nil }
                defer { (partial, hasPartial) = ([], false) }
                return partial
            }
            (block, at) = (next, 0)
        }
    }

    var isAtEnd: Bool { input.isAtEnd && at >= block.count && !hasPartial }
}

/// A whole file, or all of standard input, as one payload.
enum PayloadReader {
    /// What MQTT can carry, in bytes, §2.1.4; what the topic takes is not counted, as in mosquitto.
    private static let bytesMax = 268_435_455

    static func standardInput() throws(ArgumentFault) -> [UInt8] {
        guard let stream = fdopen(STDIN_FILENO, "r"), let payload = try read(stream, "Message length") else {
            throw ArgumentFault("Error loading input from stdin.", namesHelp: false)
        }
        guard !payload.isEmpty else {
            throw ArgumentFault("Error: Zero length input.\nError loading input from stdin.", namesHelp: false)
        }
        return payload
    }

    static func file(_ path: String) throws(ArgumentFault) -> [UInt8] {
        guard let stream = fopen(path, "re") else {
            throw ArgumentFault(
                "Error: Unable to open file \"\(path)\".\nError loading input file \"\(path)\".", namesHelp: false)
        }
        defer { fclose(stream) }
        guard let payload = try read(stream, "File") else {
            throw ArgumentFault("Error loading input file \"\(path)\".", namesHelp: false)
        }
        return payload
    }

    private static func read(_ stream: UnsafeMutablePointer<FILE>, _ what: String) throws(ArgumentFault) -> [UInt8]? {
        var payload: [UInt8] = []
        var block = [UInt8](repeating: 0, count: 64 * 1024)
        while true {
            let count = fread(&block, 1, block.count, stream)
            if count == 0 { return ferror(stream) == 0 ? payload : nil }
            payload += block[..<count]
            guard payload.count <= bytesMax else {
                throw ArgumentFault("Error: \(what) must be less than \(bytesMax) bytes.", namesHelp: false)
            }
        }
    }
}
