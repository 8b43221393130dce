/// One side of an enhanced authentication, §4.12, such as SCRAM or Kerberos: the program's part of a conversation with the
/// server. A method is called for one connection at a time, never concurrently.
public protocol Authenticator: Sendable {
    /// The Authentication Method, §3.1.2.11.9; the same for the client's whole life.
    var method: String { get }

    /// The data of CONNECT, or of an AUTH that begins a re-authentication. Nil = none.
    /// - Throws: anything; the client ends with `ClientError.authenticationFailed`.
    func begin() async throws -> [UInt8]?

    /// The answer to the server's Authentication Data.
    /// - Throws: anything; the connection ends with `ClientError.authenticationFailed`.
    func respond(to challenge: [UInt8]?) async throws -> [UInt8]?
}
