import Certificates
import Dispatch
import MQTTClientPKCS11
import MQTTTransport
import Synchronization

/// A key in a token, where the command line names one: found, unlocked and tried before there is a loop, since a token answers in
/// its own time and may have to ask somebody for its PIN.
enum TokenIdentity {
    /// Waits on the calling thread.
    /// - Returns: nil where no token is named.
    static func find(for arguments: ToolArguments) throws(ArgumentFault) -> ClientIdentity? {
        guard arguments.token.isAsked else { return nil }
        let place = arguments.token.place
        let chain = try arguments.tls.certificateFile.map(certificates) ?? []
        let answer = Answer()
        Task.detached {
            do throws(KeyStoreError) {
                answer.give(.success(try await place.identity(certificates: chain).client))
            } catch {
                answer.give(.failure(error))
            }
        }
        do throws(KeyStoreError) {
            return try answer.wait().get()
        } catch {
            throw ArgumentFault("Error: \(error)", namesHelp: false)
        }
    }

    /// What the token does not have: in DER, the client's own first.
    private static func certificates(_ path: String) throws(ArgumentFault) -> [[UInt8]] {
        do {
            return try PEMBundle.certificates(in: try SecureFile.read(path), file: path).map(\.der)
        } catch {
            throw ArgumentFault("Error: --cert: \(error)", namesHelp: false)
        }
    }

    private final class Answer: Sendable {
        private let result = Mutex<Result<ClientIdentity, KeyStoreError>?>(nil)
        private let isThere = DispatchSemaphore(value: 0)

        func give(_ answer: Result<ClientIdentity, KeyStoreError>) {
            result.withLock { $0 = answer }
            isThere.signal()
        }

        func wait() -> Result<ClientIdentity, KeyStoreError> {
            isThere.wait()
            guard let answer = result.withLock({ $0 }) else { preconditionFailure("it is given before it is there") }
            return answer
        }
    }
}

extension TokenArguments {
    var place: KeyPlace {
        var place = KeyPlace(pin: pin)
        (place.module, place.token, place.uri) = (module, token, uri)
        (place.keyLabel, place.certificateLabel) = (keyLabel, certificateLabel)
        return place
    }

    /// Asked for at the terminal where no option says otherwise.
    private var pin: PINSource {
        if let pinFile { return .file(pinFile) }
        if let pinVariable { return .environment(pinVariable) }
        return .question { SecretPrompt.ask("PIN of the token '\($0)': ") }
    }
}
