/// Answers requests about the broker, as mosquitto's `$CONTROL/broker/v1` does: bytes in, bytes out, the same for the same
/// request. Asked from every loop at once.
package protocol ControlAnswers: Sendable {
    func answer(_ request: UnsafeRawBufferPointer) -> [UInt8]
}
