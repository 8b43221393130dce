/// What the handlers before a connection's own tell it, in this order, each at most once.
package enum TransportEvent: Sendable {
    /// A PROXY header came: whom it speaks of. Nothing of the client has been read yet.
    case proxied(ProxyHeader)
    /// A WebSocket is open; MQTT's bytes follow.
    case webSocketOpened
    /// A client's SOCKS proxy has connected it to where it wants to go.
    case proxyOpened
}

/// A stage before MQTT failed: the connection is about to close.
package struct TransportFault: Error, CustomStringConvertible {
    /// `TLS`, `WebSocket`, `PROXY`; a client's also `SOCKS5`.
    package let stage: String
    package let reason: String

    package init(stage: String, reason: String) {
        self.stage = stage
        self.reason = reason
    }

    package var description: String { "\(stage) Error: \(reason)" }
}
