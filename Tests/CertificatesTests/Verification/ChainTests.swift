import CertificateTestKit
import Certificates
import Testing

@Suite("Chains, judged by us and by OpenSSL")
struct ChainTests {
    @Test("the same verdict, or an explained one", arguments: ChainCase.all)
    func agree(_ one: ChainCase) throws {
        let lab = try CertificateLab.shared.get()
        let refusal: Refusal?
        switch try one.ourVerdict(lab) {
        case .success: refusal = nil
        case .failure(let why): refusal = why
        }
        #expect(refusal?.kind == one.refusal, "ours: \(refusal?.description ?? "accepted")")
        let code = try one.openSSLVerdict(lab)
        #expect(code == one.code, "OpenSSL's: error \(code)")
        if one.because == nil {
            #expect((refusal == nil) == (code == 0), "the verdicts differ, and nobody says why")
        } else {
            #expect((refusal == nil) != (code == 0), "an explanation for a difference that is none")
        }
        if let refusal { #expect(!refusal.what.isEmpty && !refusal.advice.isEmpty) }
    }

    @Test("there are at least 40 of them") func count() { #expect(ChainCase.all.count >= 40) }

    @Test("without date checks an expired client is let in, and an old CRL still keeps everybody out")
    func datesOff() throws {
        let lab = try CertificateLab.shared.get()
        let options = ChainVerifier.Options(purpose: .client, checksDates: false)
        let later = lab.now.adding(days: 90)
        let chain = try lab.load(["client"])
        let verifier = ChainVerifier(anchors: try lab.load(["root"]), options: options)
        #expect(throws: Never.self) { try verifier.verify(chain, at: later).get() }
        let checking = ChainVerifier(
            anchors: try lab.load(["root"]), revocationLists: try lab.lists(["fresh"]), options: options)
        guard case .failure(let refusal) = checking.verify(chain, at: later) else {
            Issue.record("an old CRL was taken for a good one")
            return
        }
        #expect(refusal.kind == "revocationListExpired")
    }

    @Test("no certificates, too many, nonsense: refused with words")
    func oddInput() throws {
        let lab = try CertificateLab.shared.get()
        let verifier = ChainVerifier(anchors: try lab.load(["root"]), options: .init(purpose: .any))
        func kind(_ chain: [[UInt8]]) -> String? {
            if case .failure(let refusal) = verifier.verify(chain: chain, at: lab.now) { refusal.kind } else { nil }
        }
        #expect(kind([]) == "noCertificate")
        #expect(kind([[]]) == "malformed")
        #expect(kind([[0x30, 0x80, 0, 0]]) == "malformed")
        #expect(kind(Array(repeating: try lab.load(["client"])[0].der, count: 17)) == "tooManyCertificates")
        #expect(kind([Array(repeating: 0x30, count: 70_000)]) == "malformed")
    }

    @Test("a maze of authorities that signed each other ends", .timeLimit(.minutes(10)))
    func maze() throws {
        let lab = try CertificateLab()
        try lab.certificate("m0", extensions: CertificateLab.authority)
        for one in 1..<12 {
            try lab.certificate("m\(one)", subject: "/CN=m0", by: "m0", extensions: "basicConstraints=critical,CA:TRUE")
        }
        try lab.certificate("stranger", extensions: CertificateLab.authority)
        let verifier = ChainVerifier(anchors: try lab.load(["stranger"]), options: .init(purpose: .any))
        let chain = try lab.load((0..<12).reversed().map { "m\($0)" })
        #expect(throws: Refusal.self) { try verifier.verify(chain, at: lab.now).get() }
    }

    @Test("delta, indirect and partial CRLs, and those with unknown critical extensions, are not taken")
    func strangeLists() throws {
        let lab = try CertificateLab.shared.get()
        let kinds = [
            "delta": "2.5.29.27=critical,DER:020101",
            "indirect": "issuingDistributionPoint=critical,@where\n[where]\nindirectCRL=TRUE",
            "useronly": "issuingDistributionPoint=critical,@where\n[where]\nonlyuser=TRUE",
            "unknown": "1.2.3.4=critical,ASN1:NULL",
        ]
        for (name, extensions) in kinds {
            try lab.revocationList("strange-\(name)", by: "root", extensions: extensions)
            #expect(throws: PEMBundle.Fault.self, "\(name)") { try lab.lists(["strange-\(name)"]) }
        }
    }
}
