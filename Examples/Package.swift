// swift-tools-version:6.2
import PackageDescription

// Beside the checkout it lies in; `scripts/examples` builds it against a tagged clone by URL and version instead, as a
// package of yours would depend on it.
let martlet: Package.Dependency =
    if let url = Context.environment["MARTLET_URL"], let version = Context.environment["MARTLET_VERSION"] {
        .package(url: url, exact: Version(stringLiteral: version))
    } else {
        .package(name: "martlet", path: "..")
    }

let client: Target.Dependency = .product(name: "MQTTClient", package: "martlet")
let settings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"), .enableUpcomingFeature("MemberImportVisibility"),
]

let package = Package(
    name: "examples",
    platforms: [.macOS(.v15)],
    dependencies: [martlet],
    targets: [
        // Prints what comes: the smallest program there is.
        .executableTarget(name: "Subscriber", dependencies: [client], swiftSettings: settings),
        // Sends a line of standard input as a message each, and knows that every one has arrived.
        .executableTarget(name: "Publisher", dependencies: [client], swiftSettings: settings),
        // on_connect and on_message, for those who come from paho.
        .executableTarget(name: "Callbacks", dependencies: [client], swiftSettings: settings),
        // TLS with an authority of one's own, and a certificate of ours.
        .executableTarget(name: "Secure", dependencies: [client], swiftSettings: settings),
        // A question and its answer, §4.10.
        .executableTarget(name: "RequestResponse", dependencies: [client], swiftSettings: settings),
    ],
    swiftLanguageModes: [.v6]
)
