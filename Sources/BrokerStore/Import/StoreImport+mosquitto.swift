package import BrokerCore
import MQTTProtocol

/// Fills an empty store from elsewhere. The store is anything that answers `StorageRequest`s; what it is, and that it
/// appears as a whole or not at all, is `StoreImport+files`' matter.
package enum StoreImport {
    /// Takes over what mosquitto kept: persistent sessions, their subscriptions, the messages that wait for them or are on
    /// their way, and retained messages. The snapshot is read twice and never written to.
    ///
    /// - Parameters:
    ///   - now: milliseconds since 1970; what is over by then is left out.
    ///   - progress: is told how much of how much is done, in no particular unit.
    ///   - perform: asks the store and waits for its answer.
    /// - Throws: `StoreImportError`, or what `perform` throws.
    package static func mosquitto(
        from path: String, now: Int64, using random: inout some RandomNumberGenerator,
        progress: (_ done: Int, _ whole: Int) -> Void = { _, _ in },
        perform: @escaping (StorageRequest) throws -> StorageEvent
    ) throws -> ImportSummary {
        do {
            var reader = try MosquittoSnapshotReader(path: path)
            let index = try SnapshotIndex(&reader, now: now, using: &random) { progress($0 / 2, $1) }
            var walk = SnapshotWalk(index, now: now, StoreFiller(perform))
            return try walk.run(reader, progress)
        } catch let error as MosquittoSnapshotError {
            throw StoreImportError.mosquitto(error)
        }
    }
}
