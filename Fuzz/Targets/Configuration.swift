import BrokerConfiguration

/// Target `configuration`: any text ends in a configuration that holds together, or in errors that say where.
@_cdecl("martlet_fuzz_configuration")
package func fuzzConfiguration(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    let text = UnsafeBufferPointer(start: data, count: size)
    do {
        let (configuration, warnings) = try BrokerConfiguration.parse(text: text, file: "fuzz.conf")
        require(!configuration.listeners.isEmpty, "a broker without a listener")
        require(configuration.listeners.allSatisfy { (1...65_535).contains($0.port) }, "a port that is none")
        require(configuration.packetBytesMax >= 20, "no packet fits")
        require((1...3_600).contains(configuration.connectTimeoutSeconds), "connect_timeout out of its range")
        require(configuration.pendingConnectionsMax >= 1, "nobody could connect")
        require(configuration.eventLoopCount.map { $0 >= 1 } ?? true, "no event loop")
        require(warnings.count <= 200, "\(warnings.count) warnings")
    } catch {
        require((1...20).contains(error.problems.count), "\(error.problems.count) problems")
        for problem in error.problems { require(!problem.message.isEmpty, "a problem without words") }
    }
    return 0
}
