import Certificates

/// Target `certificates`: what a client shows in its handshake, and files that an operator was given. The first byte chooses
/// the kind. Whatever comes is read or refused; what was read can be shown, judged, written and read again.
@_cdecl("martlet_fuzz_certificates")
package func fuzzCertificates(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    var bytes = FuzzBytes(data, size)
    switch bytes.byte() & 7 {
    case 0: checkCertificate(bytes.takeAll())
    case 1: checkList(bytes.takeAll())
    case 2: checkRequest(bytes.takeAll())
    case 3: checkKey(bytes.takeAll())
    case 4: checkText(bytes.takeAll())
    case 5: checkBundle(bytes.takeAll())
    case 6:
        // Certificates one after the other, as a client shows them.
        if let chain = try? DERSplit.documents(in: bytes.takeAll(), file: "chain") { checkChain(chain) }
    default: _ = try? EncryptedPKCS8.decrypt(bytes.takeAll(), passphrase: "secret", roundsMax: 64)
    }
    return 0
}

private let now = Timestamp(seconds: 1_795_000_000)

private func checkCertificate(_ der: [UInt8]) {
    guard let certificate = try? ParsedCertificate(der: der) else { return }
    require(certificate.der == der, "another certificate")
    require(!certificate.text(at: now).isEmpty, "nothing to show")
    _ = certificate.displayName
    for name in HostName.names(of: certificate) { _ = HostName(name).matches(certificate) }
    _ = HostName("*").matches(certificate)
    checkChain([der])
    let anchored = ChainVerifier(
        anchors: [certificate], revocationLists: [], options: .init(purpose: .server, pinsLeaf: true))
    if case .failure(let refusal) = anchored.verify(chain: [der], at: now) {
        require(!refusal.description.isEmpty, "refused without a word")
    }
}

/// Nobody is trusted, so nobody gets in, and each refusal has its words.
private func checkChain(_ chain: [[UInt8]]) {
    let verifier = ChainVerifier(anchors: [], revocationLists: [], options: .init(purpose: .client))
    guard case .failure(let refusal) = verifier.verify(chain: chain, at: now) else {
        preconditionFailure("a stranger was let in")
    }
    require(!refusal.description.isEmpty, "refused without a word")
    // With the last as the root: signatures, dates, names and lengths are looked at.
    guard let last = chain.last, let root = try? ParsedCertificate(der: last) else { return }
    let trusting = ChainVerifier(
        anchors: [root], revocationLists: nil, options: .init(purpose: .client, acceptsPartialChain: true))
    if case .success(let trusted) = trusting.verify(chain: chain, at: now) {
        require(trusted.leaf.der == chain[0], "another leaf")
        require(trusted.certificates.last == root, "another root")
    }
}

private func checkList(_ der: [UInt8]) {
    guard let list = try? CertificateRevocationList(der: der) else { return }
    for entry in list.entries {
        require(list.entry(forSerialNumber: entry.serialNumber) != nil, "an entry that is not found")
    }
    _ = list.text(at: now)
}

private func checkRequest(_ der: [UInt8]) {
    guard let request = try? CertificateRequest(der: der) else { return }
    _ = request.isSignedByItsKey
    _ = try? request.text()
}

private func checkKey(_ der: [UInt8]) {
    guard let key = try? PrivateKey(der: der) else { return }
    let written = key.pkcs8
    guard let again = try? PrivateKey(der: written) else { preconditionFailure("our own writing is not read") }
    require(again.pkcs8 == written, "another key")
    require((try? again.publicKey) == (try? key.publicKey), "another public key")
}

private func checkText(_ bytes: [UInt8]) {
    _ = try? PrivateKey(file: bytes, name: "key", passphrase: nil)
    guard let bundle = try? PEMBundle(bytes, file: "file") else { return }
    let text = bundle.blocks.map { PEMBundle.text(label: $0.label, der: $0.der) }.joined()
    guard let again = try? PEMBundle(Array(text.utf8), file: "again") else {
        preconditionFailure("our own text is not read")
    }
    require(again.blocks.map(\.der) == bundle.blocks.map(\.der), "other blocks")
    _ = try? PEMBundle.certificates(in: bytes, file: "file")
    _ = try? PEMBundle.revocationLists(in: bytes, file: "file")
    if bundle.blocks.contains(where: { block in block.headers.contains { $0.name == "DEK-Info" } }) {
        _ = try? PrivateKey(file: bytes, name: "key", passphrase: "secret")
    }
}

private func checkBundle(_ bytes: [UInt8]) {
    guard let contents = try? PKCS12.read(bytes, password: "secret", roundsMax: 64) else { return }
    require(PKCS12.isOne(bytes), "read, and not known as one")
    require(contents.certificates.count <= bytes.count, "more came out than went in")
}
