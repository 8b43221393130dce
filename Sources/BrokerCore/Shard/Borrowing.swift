extension [UInt8] {
    /// The bytes, borrowed for a body that may find fault. (`withUnsafeBytes` forgets the error's type.)
    @inline(__always)
    func borrowed<R>(_ body: (UnsafeRawBufferPointer) throws(Fault) -> R) throws(Fault) -> R {
        try withUnsafeBytes { bytes in
            Result { () throws(Fault) in try body(bytes) }
        }.get()
    }
}
