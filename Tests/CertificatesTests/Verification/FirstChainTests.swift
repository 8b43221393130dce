import Certificates
import Testing

@Suite("A chain as everybody makes one")
struct FirstChainTests {
    @Test("a server under a root: accepted, then wrong name, expired, foreign")
    func simple() throws {
        let lab = try CertificateLab()
        try lab.certificate("root", extensions: CertificateLab.authority)
        try lab.certificate("other", subject: "/CN=root", extensions: CertificateLab.authority)
        try lab.certificate("server", by: "root", extensions: CertificateLab.server)
        let options = ChainVerifier.Options(purpose: .server, hostName: HostName("broker.example"))
        let verifier = ChainVerifier(anchors: try lab.load(["root"]), options: options)
        let chain = try lab.load(["server"])
        #expect(try verifier.verify(chain, at: lab.now).get().certificates.count == 2)
        #expect(throws: Refusal.self) { try verifier.verify(chain, at: lab.now.adding(days: 31)).get() }
        #expect(throws: Refusal.self) {
            try verifier.verify(chain, at: lab.now, hostName: HostName("other.example")).get()
        }
        let foreign = ChainVerifier(anchors: try lab.load(["other"]), options: options)
        #expect(throws: Refusal.self) { try foreign.verify(chain, at: lab.now).get() }
    }
}
