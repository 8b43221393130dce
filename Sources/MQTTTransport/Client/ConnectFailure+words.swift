import Certificates
import NIOCore
import NIOPosix
import NIOSSL

#if canImport(Darwin)
import Darwin
#elseif canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Errors of sockets, resolver and TLS in words.
extension ConnectFailure {
    init(_ endpoint: Endpoint, _ fault: SettingFault) {
        self.init(.settings, "\(endpoint)", "\(fault)")
    }

    /// - Parameter refusal: what we thought of the server's certificate.
    init(_ endpoint: Endpoint, error: any Error, refusal: Refusal? = nil) {
        let name = "\(endpoint)"
        if let refusal {
            self.init(.tls, name, refusal.subjectAndFault, remedy: refusal.advice.isEmpty ? nil : refusal.advice)
            certificateProblem = refusal.problem
            details = Self.details(error)
            return
        }
        switch error {
        case let error as ConnectFailure: self = error
        case let error as NIOConnectionError: self.init(endpoint, error)
        case let error as IOError:
            self.init(.socket, name, Self.words(error), remedy: Self.remedy(error, endpoint))
            errorNumber = error.errnoCode
        case ChannelError.connectTimeout(let time):
            self.init(.socket, name, "no answer within \(time)", remedy: "is the address right, and the port open?")
        case let error as KeyUnusable: self.init(.tls, name, "our key did not sign: \(error)")
        case let error as TransportFault:
            self.init(error.stage == "WebSocket" ? .webSocket : .proxy, name, error.reason)
        default:
            let words = ServerTLSWords(error)
            self.init(.tls, name, words.reason, remedy: words.remedy)
            details = Self.details(error)
        }
    }

    /// The same of a connection to a proxy.
    var atTheProxy: ConnectFailure {
        var failure = ConnectFailure(.proxy, endpoint, reason, remedy: remedy)
        failure.errorNumber = errorNumber
        return failure
    }

    /// What ended a connection that had begun.
    package static func words(_ error: any Error) -> String {
        switch error {
        case let error as IOError: words(error)
        case let error as ConnectFailure: error.description
        case let error as TransportFault: error.description
        default: ServerTLSWords(error).reason
        }
    }

    /// The other side went without saying why.
    var brokeOff: Bool { errorNumber == ECONNRESET || errorNumber == EPIPE || reason == ServerTLSWords.brokeOff }

    private init(_ endpoint: Endpoint, _ error: NIOConnectionError) {
        let name = "\(endpoint)"
        let failures = error.connectionErrors.map(\.error)
        guard let first = failures.first else {
            let resolver = error.dnsAAAAError ?? error.dnsAError
            self.init(
                .lookup, name, "the name \(error.host) is not known" + (resolver.map { " (\($0))" } ?? ""),
                remedy: "is it spelt right, and does this machine have a resolver?")
            return
        }
        var reasons: [String] = []
        for failure in failures {
            let words =
                switch failure {
                case let failure as IOError: Self.words(failure)
                case ChannelError.connectTimeout(let time): "no answer within \(time)"
                default: "\(failure)"
                }
            if !reasons.contains(words) { reasons.append(words) }
        }
        let number = (first as? IOError)?.errnoCode
        self.init(
            endpoint.proxy == nil ? .socket : .proxy, name, reasons.joined(separator: "; "),
            remedy: (first as? IOError).flatMap { Self.remedy($0, endpoint) })
        errorNumber = number
    }

    private static func words(_ error: IOError) -> String {
        switch error.errnoCode {
        case ECONNREFUSED: "connection refused"
        case ENOENT: "there is no such socket"
        case EACCES: "this user may not use that socket"
        case ECONNRESET: "the other side broke the connection off"
        default: String(cString: strerror(error.errnoCode))
        }
    }

    private static func remedy(_ error: IOError, _ endpoint: Endpoint) -> String? {
        switch error.errnoCode {
        case ECONNREFUSED: "does a broker listen there?"
        case ENOENT where endpoint.socketPath != nil: "does the broker run, and is that the path it listens on?"
        case EADDRNOTAVAIL: "that address is not one of this machine's"
        default: nil
        }
    }

    private static func details(_ error: any Error) -> [String] {
        switch error {
        case NIOSSLError.handshakeFailed(let inner): details(inner)
        case BoringSSLError.sslError(let stack), BoringSSLError.unknownError(let stack): stack.map(\.description)
        default: []
        }
    }
}

extension Refusal {
    var subjectAndFault: String { (subject.isEmpty ? "" : "certificate of \(subject): ") + what }

    var problem: ConnectFailure.CertificateProblem {
        switch reason {
        case .unknownIssuer, .selfSigned, .untrustedRoot, .badSignature: .untrusted
        case .wrongHost: .wrongName
        case .expired: .expired
        case .notYetValid: .notYetValid
        case .revoked: .revoked
        default: .unfit
        }
    }
}
