// swift-tools-version:6.2
import PackageDescription

// Warnings are errors in CI; while working they stay warnings.
let strict: [SwiftSetting] = Context.environment["CI"] == nil ? [] : [.treatAllWarnings(as: .error)]

let house: [SwiftSetting] =
    strict + [
        .enableUpcomingFeature("ExistentialAny"),
        .enableUpcomingFeature("InternalImportsByDefault"),
        .enableUpcomingFeature("MemberImportVisibility"),
    ]

// The broker's own hot targets. Exclusivity is proved by the tests, which run with the checks on (debug builds);
// never on a target that MQTTClient reaches. See Docs/decisions/0003-exclusivity.md.
let hot: [SwiftSetting] = house + [.unsafeFlags(["-enforce-exclusivity=unchecked"], .when(configuration: .release))]

// A program that is to start at once, linked for that: scripts/install names the folder where the static C++ library lies. Nothing depends
// on that program. See Docs/decisions/0022-a-small-program.md.
let quick: [LinkerSetting] =
    Context.environment["MARTLET_QUICK_START"].map {
        [
            .unsafeFlags(
                ["-L\($0)", "-Xlinker", "-no-pie", "-Xlinker", "--no-export-dynamic"], .when(platforms: [.linux]))
        ]
    } ?? []

let package = Package(
    name: "martlet",
    // What the client library asks of Apple's systems (`Synchronization`); built and tested on Linux, not there.
    platforms: [.macOS(.v15), .iOS(.v18), .tvOS(.v18), .watchOS(.v11), .visionOS(.v2)],
    products: [
        .executable(name: "martlet", targets: ["martlet"]),
        .executable(name: "martlet-tools", targets: ["martlet-tools"]),
        .library(name: "MQTTClient", targets: ["MQTTClient"]),
        .library(name: "MQTTClientPKCS11", targets: ["MQTTClientPKCS11"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/apple/swift-asn1", from: "1.7.4"),
        .package(url: "https://github.com/apple/swift-crypto", "3.12.3"..<"5.0.0"),
        // Percentiles of `martlet bench`.
        .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.2.0"),
    ],
    targets: [
        // The standard's nouns, and how they become bytes.
        .target(name: "MQTTProtocol", swiftSettings: house),
        // How QoS is kept, at either end.
        .target(name: "MQTTDelivery", dependencies: ["MQTTProtocol"], swiftSettings: house),
        // How sessions and routes act together: a value, no I/O.
        .target(
            name: "BrokerCore",
            dependencies: [
                "MQTTProtocol", "MQTTDelivery",
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "HeapModule", package: "swift-collections"),
            ],
            swiftSettings: hot),
        // Keys, requests, CRLs, certificate chains and whether they hold.
        .target(
            name: "Certificates",
            dependencies: [
                .product(name: "SwiftASN1", package: "swift-asn1"),
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "CryptoExtras", package: "swift-crypto"),
            ],
            swiftSettings: house),
        // How bytes reach a socket: TCP, TLS, WebSocket, Unix socket, PROXY; a client's way to its broker.
        .target(
            name: "MQTTTransport",
            dependencies: [
                "Certificates",
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOConcurrencyHelpers", package: "swift-nio"),
                .product(name: "NIOTLS", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "Crypto", package: "swift-crypto"),
            ],
            swiftSettings: house),
        // What our users hold in their hand; nothing that it reaches may have unsafe flags.
        .target(
            name: "MQTTClient",
            dependencies: [
                "MQTTProtocol", "MQTTDelivery", "MQTTTransport",
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ],
            swiftSettings: house),
        // What we use of PKCS#11: types and the list of functions, in a header of our own.
        .target(name: "CPKCS11"),
        // Keys that never leave a token, or a folder where there is none; a product of its own.
        .target(
            name: "MQTTClientPKCS11",
            dependencies: [
                "Certificates", "MQTTTransport", "CPKCS11", .product(name: "Crypto", package: "swift-crypto"),
            ],
            swiftSettings: house),
        // What the command line does as a client: pub, sub, rr, bench, doctor, wiretap.
        .target(
            name: "MQTTTools",
            dependencies: [
                "MQTTProtocol", "MQTTTransport", "MQTTClient", "MQTTClientPKCS11", "Certificates",
                .product(name: "Histogram", package: "hdrhistogram-swift"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ],
            swiftSettings: house),
        // coreMQTT's demo of mutual authentication, on our client.
        .target(name: "MutualAuthDemo", dependencies: ["MQTTClient"], swiftSettings: house),
        // The chat: a conversation and a screen as values, and what drives them on our client.
        .target(name: "Chat", dependencies: ["MQTTClient"], swiftSettings: house),
        // What survives a crash on one machine.
        .target(
            name: "BrokerStore",
            dependencies: ["MQTTProtocol", "BrokerCore", .product(name: "GRDB", package: "GRDB.swift")],
            swiftSettings: house),
        // Debian's libargon2-dev: the reference implementation of Argon2.
        .systemLibrary(name: "CArgon2", path: "Sources/CArgon2", providers: [.apt(["libargon2-dev"])]),
        // Who may do what, and why: password and ACL files.
        .target(
            name: "BrokerAccess",
            dependencies: [
                "MQTTProtocol", "BrokerCore", "CArgon2",
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "CryptoExtras", package: "swift-crypto"),
            ],
            swiftSettings: house),
        // What an operator may write.
        .target(name: "BrokerConfiguration", dependencies: ["MQTTProtocol"], swiftSettings: house),
        // What an operator should be told about it.
        .target(
            name: "ConfigurationLint",
            dependencies: ["BrokerConfiguration", "BrokerAccess", "Certificates"],
            swiftSettings: house),
        // Running shards on loops and sockets.
        .target(
            name: "BrokerServer",
            dependencies: [
                "MQTTProtocol", "BrokerCore", "BrokerConfiguration", "BrokerStore", "BrokerAccess",
                "MQTTTransport", "Certificates",
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOConcurrencyHelpers", package: "swift-nio"),
            ],
            swiftSettings: hot),
        .executableTarget(
            name: "martlet",
            dependencies: [
                "MQTTProtocol", "BrokerServer", "BrokerStore", "BrokerConfiguration", "BrokerAccess",
                "ConfigurationLint", "MQTTTools", "Certificates", "MQTTTransport", "MQTTClient", "MQTTClientPKCS11",
                "MutualAuthDemo", "Chat",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ],
            path: "Apps/martlet",
            swiftSettings: house),
        // pub, sub and rr alone: half of what they do is to start.
        .executableTarget(
            name: "martlet-tools", dependencies: ["MQTTTools"], path: "Apps/martlet-tools", swiftSettings: house,
            linkerSettings: quick),
        // The store's speed, without a broker: Benchmarks/Store/README.md.
        .executableTarget(
            name: "store-benchmark", dependencies: ["BrokerStore", "BrokerCore", "MQTTProtocol"],
            path: "Benchmarks/Store", exclude: ["README.md"], swiftSettings: house),
        // The client library's speed, beside Paho's C library: Benchmarks/library.py.
        .executableTarget(
            name: "library-benchmark", dependencies: ["MQTTClient"], path: "Benchmarks/Library", exclude: ["paho.c"],
            swiftSettings: house),
        // What tests speak to a running broker with: bytes, and none of our own code.
        .target(name: "MQTTTestKit", path: "Tests/MQTTTestKit", swiftSettings: house),
        // Chance from a seed, so that a test that fails, fails again.
        .target(name: "SeededRandom", path: "Tests/SeededRandom", swiftSettings: house),
        // Certificates good and bad by Debian's OpenSSL, which is also a peer that speaks TLS.
        .target(
            name: "CertificateTestKit", dependencies: ["Certificates"], path: "Tests/CertificateTestKit",
            swiftSettings: house),
        // Every packet as bytes and value, every fault, corpora, random packets.
        .testTarget(
            name: "MQTTProtocolTests", dependencies: ["MQTTProtocol", "SeededRandom"], resources: [.copy("Resources")],
            swiftSettings: house),
        // Every key and every rule of mosquitto.conf, and the guide that lists them.
        .testTarget(
            name: "BrokerConfigurationTests", dependencies: ["BrokerConfiguration", "MQTTProtocol", "SeededRandom"],
            swiftSettings: house),
        // What is advised about a configuration.
        .testTarget(
            name: "ConfigurationLintTests", dependencies: ["ConfigurationLint", "BrokerConfiguration", "Certificates"],
            swiftSettings: house),
        // The standards' demands, one test each, over a real socket.
        .testTarget(
            name: "ConformanceTests", dependencies: ["MQTTTestKit", "SeededRandom", "martlet"], swiftSettings: house),
        // A shard without sockets, clocks or disks, for the tests that run one.
        .target(
            name: "ShardTestKit", dependencies: ["MQTTProtocol", "BrokerCore"], path: "Tests/ShardTestKit",
            swiftSettings: house),
        // Many clients with bad networks, driven from a seed.
        .testTarget(
            name: "SimulationTests", dependencies: ["MQTTProtocol", "BrokerCore", "ShardTestKit", "SeededRandom"],
            swiftSettings: house),
        // The broker's mind, part by part, against models of a few lines.
        .testTarget(
            name: "BrokerCoreTests",
            dependencies: [
                "MQTTProtocol", "BrokerCore", "ShardTestKit", "SeededRandom",
                .product(name: "HeapModule", package: "swift-collections"),
            ],
            swiftSettings: house),
        // The store: its file, what it takes over from mosquitto, and damage of every kind.
        .testTarget(
            name: "BrokerStoreTests",
            dependencies: [
                "BrokerStore", "BrokerCore", "MQTTProtocol", "ShardTestKit", "MQTTTestKit", "SeededRandom", "martlet",
                "store-benchmark", .product(name: "GRDB", package: "GRDB.swift"),
            ],
            resources: [.copy("Resources")], swiftSettings: house),
        // Chains, lists of revoked certificates and formats, each beside what OpenSSL says of it.
        .testTarget(
            name: "CertificatesTests", dependencies: ["Certificates", "CertificateTestKit", "SeededRandom", "martlet"],
            swiftSettings: house),
        // TLS settings, WebSocket frames and requests, PROXY headers: tables of bytes.
        .testTarget(
            name: "MQTTTransportTests",
            dependencies: [
                "MQTTTransport", "SeededRandom",
                .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOEmbedded", package: "swift-nio"),
            ],
            swiftSettings: house),
        // Password and ACL files, beside mosquitto; logins in a storm.
        .testTarget(
            name: "BrokerAccessTests",
            dependencies: [
                "BrokerAccess", "BrokerCore", "MQTTProtocol", "MQTTTestKit", "SeededRandom", "martlet",
            ],
            swiftSettings: house),
        // Windows, identifiers and aliases against models of a few lines.
        .testTarget(
            name: "MQTTDeliveryTests", dependencies: ["MQTTDelivery", "MQTTProtocol", "SeededRandom"],
            swiftSettings: house),
        // The tools' arguments, formats and conversations, beside mosquitto's.
        .testTarget(
            name: "MQTTToolsTests",
            dependencies: [
                "MQTTTools", "MQTTClient", "MQTTProtocol", "MQTTTestKit", "martlet",
            ],
            swiftSettings: house),
        // The client: its session without sockets, from seeds; then against scripted peers and brokers.
        .testTarget(
            name: "MQTTClientTests",
            dependencies: [
                "MQTTClient", "MQTTProtocol", "MQTTTransport", "MQTTTestKit", "Certificates", "CertificateTestKit",
                "SeededRandom", "martlet", .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "CryptoExtras", package: "swift-crypto"),
                .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOPosix", package: "swift-nio"),
            ],
            swiftSettings: house),
        // Tokens (SoftHSM's), the file store, and mutual TLS with a key from either.
        .testTarget(
            name: "MQTTClientPKCS11Tests",
            dependencies: ["MQTTClientPKCS11", "MQTTClient", "Certificates", "MQTTTestKit", "martlet"],
            resources: [.copy("Resources")], swiftSettings: house),
        // The demo's lines, beside a golden file; and every way in which it fails.
        .testTarget(
            name: "MutualAuthDemoTests",
            dependencies: ["MutualAuthDemo", "MQTTClient", "MQTTTestKit", "martlet"],
            resources: [.copy("Golden")], swiftSettings: house),
        // The chat without a network and without a terminal.
        .testTarget(name: "ChatTests", dependencies: ["Chat", "MQTTClient"], swiftSettings: house),
        // The program as an operator meets it: its start and end, its log, `$SYS`, slow readers, several loops.
        .testTarget(
            name: "BrokerServerTests",
            dependencies: [
                "MQTTTestKit", "BrokerServer", "BrokerConfiguration", "MQTTTransport", "Certificates", "martlet",
                .product(name: "NIOCore", package: "swift-nio"),
            ],
            swiftSettings: house),
        // What outlives the process: kill -9 and restarts, damaged files, full disks.
        .testTarget(
            name: "DurabilityTests", dependencies: ["MQTTTestKit", "SeededRandom", "martlet"], swiftSettings: house),
        // The house rules, held against this checkout by a machine.
        .testTarget(name: "TidyTests", swiftSettings: house),
    ],
    swiftLanguageModes: [.v6]
)
