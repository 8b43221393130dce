// The standard's words that our users write: `import MQTTClient` is enough for them.

@_exported public import struct MQTTDelivery.Backoff
@_exported public import enum MQTTProtocol.PacketError
@_exported public import enum MQTTProtocol.PacketType
@_exported public import enum MQTTProtocol.ProtocolVersion
@_exported public import enum MQTTProtocol.QoS
@_exported public import struct MQTTProtocol.ReasonCode
@_exported public import enum MQTTProtocol.RetainHandling
@_exported public import struct MQTTTransport.ClientIdentity
@_exported public import struct MQTTTransport.ClientTLS
@_exported public import struct MQTTTransport.ConnectFailure
@_exported public import struct MQTTTransport.Endpoint
@_exported public import struct MQTTTransport.HTTPHeader
@_exported public import protocol MQTTTransport.KeySigner
@_exported public import struct MQTTTransport.SOCKS5Proxy
@_exported public import enum MQTTTransport.SignatureScheme
@_exported public import struct MQTTTransport.TrustRoots
