// swift-tools-version:6.2
import PackageDescription

// A package of its own, so that the broker's manifest carries no sanitizers: `Sources` is a link to the broker's, built
// here a second time with the checks on. See Docs/decisions/0010-fuzzing.md; `make fuzz` builds and runs it.
let checked: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    // Optimised, and still with every assert and every exclusivity check.
    .unsafeFlags([
        "-sanitize=fuzzer,address", "-assert-config", "Debug", "-enforce-exclusivity=checked",
    ]),
]
let instrumented: [CSetting] = [.unsafeFlags(["-fsanitize=fuzzer,address"])]
let linked: [LinkerSetting] = [.unsafeFlags(["-sanitize=fuzzer,address"])]

/// One program for each target; what it does is in `Targets`.
func program(_ name: String) -> Target {
    .executableTarget(
        name: name, dependencies: ["FuzzTargets"], path: "Programs/\(name)", cSettings: instrumented,
        linkerSettings: linked)
}

let package = Package(
    name: "martlet-fuzz",
    // The broker's own checkout: nothing is fetched, and it is the version that the broker is built with.
    dependencies: [
        .package(path: "../.build/checkouts/swift-collections"),
        .package(path: "../.build/checkouts/swift-nio"),
        .package(path: "../.build/checkouts/swift-asn1"),
        .package(path: "../.build/checkouts/swift-crypto"),
        // What NIO wants of its own.
        .package(path: "../.build/checkouts/swift-atomics"),
        .package(path: "../.build/checkouts/swift-system"),
    ],
    targets: [
        .target(name: "MQTTProtocol", swiftSettings: checked),
        .target(name: "MQTTDelivery", dependencies: ["MQTTProtocol"], swiftSettings: checked),
        .target(
            name: "BrokerCore",
            dependencies: [
                "MQTTProtocol", "MQTTDelivery",
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "HeapModule", package: "swift-collections"),
            ],
            swiftSettings: checked),
        // The client without sockets: session, codec, messages.
        .target(
            name: "MQTTClient",
            dependencies: [
                "MQTTProtocol", "MQTTDelivery", "MQTTTransport",
                .product(name: "DequeModule", package: "swift-collections"),
            ],
            path: "Sources/MQTTClient",
            sources: ["ClientConfiguration.swift", "ClientError.swift", "Codec", "Message", "Session"],
            swiftSettings: checked),
        .target(name: "BrokerConfiguration", dependencies: ["MQTTProtocol"], swiftSettings: checked),
        // What reads strangers' bytes; handlers and TLS stay out, and with them their libraries.
        .target(
            name: "MQTTTransport", dependencies: ["Certificates", .product(name: "NIOCore", package: "swift-nio")],
            path: "Sources/MQTTTransport",
            sources: [
                "Proxy/ProxyHeader.swift", "WebSocket/WebSocketReader.swift", "WebSocket/WebSocketRequest.swift",
                "WebSocket/HTTPFields.swift", "WebSocket/WebSocketFrame.swift", "WebSocket/WebSocketMask.swift",
                "Client/ConnectFailure.swift",
            ],
            swiftSettings: checked),
        .target(
            name: "Certificates",
            dependencies: [
                .product(name: "SwiftASN1", package: "swift-asn1"),
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "CryptoExtras", package: "swift-crypto"),
            ],
            swiftSettings: checked),
        // The module that the tests' `RandomPacket.swift` imports: empty here.
        .target(name: "SeededRandom", path: "Chance"),
        .target(
            name: "FuzzTargets",
            dependencies: [
                "SeededRandom",
                "MQTTProtocol", "BrokerCore", "BrokerConfiguration", "MQTTTransport", "MQTTClient", "Certificates",
                .product(name: "NIOCore", package: "swift-nio"),
            ],
            path: "Targets", swiftSettings: checked),
        program("frames"),
        program("roundtrip"),
        program("configuration"),
        program("shard"),
        program("transport"),
        program("certificates"),
        program("client"),
    ],
    swiftLanguageModes: [.v6]
)
