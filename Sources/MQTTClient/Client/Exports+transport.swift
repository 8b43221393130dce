// Where a broker is: our users write it, `MQTTTransport` reaches it.

@_exported public import struct MQTTTransport.Endpoint
@_exported public import enum MQTTTransport.TrustRoots
