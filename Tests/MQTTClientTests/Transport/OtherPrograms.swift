import CertificateTestKit
import Glibc
import MQTTTestKit
import MQTTTransport
import NIOCore
import NIOPosix

/// `openssl s_server` on a free port of loopback: somebody else's TLS, which tells what a client said.
struct OpenSSLServer {
    let process: PeerProcess
    let port: Int

    /// - Parameter arguments: behind `s_server -accept …`; names of files are those of the lab.
    init(_ openSSL: OpenSSL, _ arguments: [String]) async throws {
        let arguments = arguments.map { $0.hasSuffix(".crt") || $0.hasSuffix(".key") ? openSSL.path($0) : $0 }
        // Port 0: the system chooses, and the program tells. Line by line, or it keeps what it has to say for itself.
        process = try PeerProcess(["stdbuf", "-oL", "openssl", "s_server", "-accept", "127.0.0.1:0"] + arguments)
        let said = await process.says("ACCEPT 127.0.0.1:")
        let line = said.split(separator: "\n").first { $0.hasPrefix("ACCEPT 127") }
        guard let port = line?.split(separator: ":").last.flatMap({ Int($0) }) else {
            throw BrokerProcess.StartFailure(description: "s_server \(arguments) does not accept: \(said)")
        }
        self.port = port
    }

    /// Connects, and closes once the stages before MQTT are through, which this server does not speak.
    static func visit(_ endpoint: Endpoint) async -> ConnectFailure? {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        do throws(ConnectFailure) {
            let channel = try await Connector.connect(to: endpoint, on: loop, timeout: .seconds(60)) {
                $0.eventLoop.makeSucceededVoidFuture()
            }
            try? await channel.close().get()
            return nil
        } catch {
            return error
        }
    }
}

/// Debian's little SOCKS5 server on a free port.
struct MicroSocks {
    static let isPresent = access("/usr/bin/microsocks", X_OK) == 0

    let process: PeerProcess
    let port: Int

    init(_ arguments: [String]) throws {
        guard let free = Loopback.freePort() else { throw BrokerProcess.StartFailure(description: "no free port") }
        port = Int(free)
        process = try PeerProcess(["/usr/bin/microsocks", "-i", "127.0.0.1", "-p", "\(free)"] + arguments)
        guard Deadline(milliseconds: patienceMilliseconds).wait(until: { Loopback.answers(.first, port: free) }) else {
            throw BrokerProcess.StartFailure(description: "microsocks does not accept: \(process.said)")
        }
    }
}
