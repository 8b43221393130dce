import Crypto

extension PKCS12 {
    /// What a key is for: 1 a cipher's key, 2 its first vector, 3 a MAC. RFC 7292 appendix B.2
    static func derive<H: HashFunction>(
        _: H.Type, password: String, purpose: UInt8, salt: [UInt8], rounds: Int, count: Int
    ) -> [UInt8] {
        precondition(rounds > 0 && count > 0, "checked where they are read")
        let block = H.blockByteCount
        func filled(_ bytes: [UInt8]) -> [UInt8] {
            guard !bytes.isEmpty else { return [] }
            let size = (bytes.count + block - 1) / block * block
            return (0..<size).map { bytes[$0 % bytes.count] }
        }
        // UTF-16 with a closing zero: B.1.
        let text = (Array(password.utf16) + [0]).flatMap { [UInt8($0 >> 8), UInt8($0 & 255)] }
        let diversifier = [UInt8](repeating: purpose, count: block)
        var state = filled(salt) + filled(text)
        var result: [UInt8] = []
        while result.count < count {
            var digest = Array(H.hash(data: diversifier + state))
            for _ in 1..<rounds { digest = Array(H.hash(data: digest)) }
            result += digest
            let addend = (0..<block).map { digest[$0 % digest.count] }
            for start in stride(from: 0, to: state.count, by: block) {
                var carry: UInt16 = 1
                for index in (0..<block).reversed() {
                    let sum = UInt16(state[start + index]) + UInt16(addend[index]) + carry
                    state[start + index] = UInt8(sum & 255)
                    carry = sum >> 8
                }
            }
        }
        return Array(result.prefix(count))
    }
}
