/// Where a command line says that a device's key is, and under which names. `martlet provision`, the demo and the tools all
/// read their options into one of these.
package struct KeyPlace: Sendable {
    /// The module's path; nil where the URI has it.
    package var module: String?
    /// The token's label; nil = the only one there is.
    package var token: String?
    /// All of it in one; then there is no `token`.
    package var uri: String?
    package var pin: PINSource
    /// Of the private key; nil = what the URI says, else `Device Priv TLS Key`.
    package var keyLabel: String?
    /// Of the certificate; nil = the one that goes with the key.
    package var certificateLabel: String?

    package init(pin: PINSource) { self.pin = pin }

    /// The token, and what the URI says of the private key.
    package func open() throws(KeyStoreError) -> (token: PKCS11Token, key: ObjectReference?) {
        guard let uri else {
            let reference = TokenReference(label: token)
            return (PKCS11Token(reference, in: try PKCS11Module.load(module ?? ""), pin: pin), nil)
        }
        let parsed = try PKCS11URI(uri)
        return (try PKCS11Token(parsed, modulePath: module, pin: pin), parsed.object)
    }

    /// Who the device is.
    /// - Parameter certificates: in DER, where they are not in the token.
    package func identity(certificates: [[UInt8]] = []) async throws(KeyStoreError) -> StoredIdentity {
        let (token, named) = try open()
        let key = keyLabel.map { .label($0) } ?? named ?? .label(.privateKey)
        return try await token.identity(
            key: key, certificate: certificateLabel.map { .label($0) }, certificates: certificates)
    }
}
