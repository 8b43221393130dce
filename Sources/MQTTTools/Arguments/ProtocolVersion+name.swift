package import MQTTProtocol

extension ProtocolVersion {
    /// The version that a command line calls by this name: mosquitto's, `5` or `mqttv5`.
    package init?(commandLineName name: String) {
        switch name {
        case "5", "mqttv5": self = .v5
        case "311", "mqttv311": self = .v311
        case "31", "mqttv31": self = .v31
        default: return nil
        }
    }
}
