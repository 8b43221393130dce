import NIOCore
import Testing

@testable import BrokerServer

/// How much one read takes, and who may keep what it was read into.
@Suite("Receive buffers")
struct ReceiveBuffersTests {
    @Test("a pool gives out each of its buffers again, by its size, and empty")
    func pool() {
        var pool = ReceivePool()
        var buffer = ByteBufferAllocator().buffer(capacity: ReceiveBuffers.securedReadBytesMax)
        buffer.writeInteger(UInt32(7))
        let storage = buffer.withUnsafeReadableBytes { $0.baseAddress }
        pool.give(buffer)
        buffer = ByteBuffer()
        #expect(pool.take() == nil)
        #expect(pool.takeBusy() == nil)
        var again = pool.takeSecured()
        #expect(again?.readableBytes == 0)
        #expect(pool.takeSecured() == nil)
        again?.writeInteger(UInt32(8))
        #expect(again?.withUnsafeReadableBytes { $0.baseAddress } == storage)
    }

    @Test("a buffer of another size is not kept: it is not one of the loop's")
    func strange() {
        var pool = ReceivePool()
        pool.give(ByteBufferAllocator().buffer(capacity: 1024))
        pool.give(ByteBufferAllocator().buffer(capacity: 4 * ReceiveBuffers.readBytesMax))
        #expect(pool.take() == nil && pool.takeSecured() == nil && pool.takeBusy() == nil)
    }

    @Test("a TLS connection is a busy one after full reads, and until as many others")
    func busy() {
        var fullness = RecordFullness()
        for _ in 1..<RecordFullness.surplusOfBusy { fullness.record(RecordFullness.recordBytesMax) }
        fullness.record(RecordFullness.recordBytesMax - 1)
        #expect(!fullness.isBusy)
        fullness.record(RecordFullness.recordBytesMax)
        #expect(!fullness.isBusy, "that was the one it had lost")
        fullness.record(RecordFullness.recordBytesMax)
        #expect(fullness.isBusy)

        for _ in 0..<100 { fullness.record(65_536) }
        for _ in 0..<RecordFullness.surplusOfBusy { fullness.record(100) }
        #expect(fullness.isBusy)
        fullness.record(100)
        #expect(!fullness.isBusy)
    }

    @Test("permits for large reads are so many, and come back with the connections that had them")
    func permits() {
        let source = LargeReads()
        var permits = (0..<LargeReads.permitsMax).compactMap { _ in source.permit() }
        #expect(permits.count == LargeReads.permitsMax)
        #expect(source.permit() == nil)
        #expect(source.permit() == nil, "a refusal costs none")
        permits.removeLast(2)
        #expect(source.permit() != nil, "and is given back at once")
        permits += [source.permit(), source.permit()].compactMap { $0 }
        #expect(permits.count == LargeReads.permitsMax)
        #expect(source.permit() == nil)
    }
}
