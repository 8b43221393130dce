package import NIOCore
package import NIOSSL

/// A private key that signs and is never seen: in a token, a secure element, another process. `ClientIdentity.signer` takes
/// one; our own keys in PKCS#11 tokens (`MQTTClientPKCS11`) are one.
public protocol KeySigner: AnyObject, Sendable {
    /// What it can make, best first; nothing that its kind of key cannot.
    var schemes: [SignatureScheme] { get }

    /// Signs `bytes`, which have not been hashed yet. It may take its time: no event loop waits.
    /// - Returns: the signature as TLS has it: ECDSA as DER, RSA as long as its modulus.
    func signature(over bytes: [UInt8], with scheme: SignatureScheme) async throws -> [UInt8]
}

/// How TLS signs: RFC 8446 §4.2.3.
public enum SignatureScheme: UInt16, Sendable, Hashable, CaseIterable {
    case rsaPKCS1SHA256 = 0x0401
    case rsaPKCS1SHA384 = 0x0501
    case rsaPKCS1SHA512 = 0x0601
    /// TLS 1.3 signs with PSS where the key is RSA. Salt as long as the hash.
    case rsaPSSSHA256 = 0x0804
    case rsaPSSSHA384 = 0x0805
    case rsaPSSSHA512 = 0x0806
    case ecdsaP256SHA256 = 0x0403
    case ecdsaP384SHA384 = 0x0503
    case ecdsaP521SHA512 = 0x0603
    case ed25519 = 0x0807
}

/// A signer as NIOSSL wants one. Two are equal where they are the same object.
package struct SigningKey: NIOSSLCustomPrivateKey, Hashable {
    package let signer: any KeySigner

    package init(_ signer: any KeySigner) { self.signer = signer }

    package static func == (left: SigningKey, right: SigningKey) -> Bool { left.signer === right.signer }
    package func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(signer)) }

    package var signatureAlgorithms: [SignatureAlgorithm] {
        signer.schemes.map { SignatureAlgorithm(rawValue: $0.rawValue) }
    }

    package func sign(
        channel: any Channel, algorithm: SignatureAlgorithm, data: ByteBuffer
    ) -> EventLoopFuture<ByteBuffer> {
        let promise = channel.eventLoop.makePromise(of: ByteBuffer.self)
        guard let scheme = SignatureScheme(rawValue: algorithm.rawValue) else {
            promise.fail(KeyUnusable(description: "the server wants a signature that no key of ours can make"))
            return promise.futureResult
        }
        let bytes = Array(data.readableBytesView)
        promise.completeWithTask { [signer] in
            do {
                return ByteBuffer(bytes: try await signer.signature(over: bytes, with: scheme))
            } catch {
                throw KeyUnusable(description: "\(error)")
            }
        }
        // NIOSSL only learns that there is no signature. Whoever reads the pipeline's errors hears why, and first.
        promise.futureResult.whenFailure { [pipeline = channel.pipeline] in pipeline.fireErrorCaught($0) }
        return promise.futureResult
    }

    /// Clients sign, and never decrypt.
    package func decrypt(channel: any Channel, data: ByteBuffer) -> EventLoopFuture<ByteBuffer> {
        channel.eventLoop.makeFailedFuture(KeyUnusable(description: "a client's key decrypts nothing"))
    }
}

/// A signer did not sign: why, in its words.
struct KeyUnusable: Error, CustomStringConvertible {
    let description: String
}
