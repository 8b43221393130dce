import MQTTClient

// Inside this package `MQTTProtocol` shows nouns of the same names, and the module cannot be named: a type is called like it.
typealias ClientSubscription = Subscription
typealias ClientUserProperty = UserProperty
typealias ClientWill = Will
