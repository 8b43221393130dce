import MQTTClient

/// The client's user property. `MQTTProtocol` has one of the same name, so this file imports the client alone.
typealias ClientUserProperty = UserProperty
