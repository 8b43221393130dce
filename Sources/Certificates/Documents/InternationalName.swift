#if canImport(Darwin)
import Foundation
#endif

/// Host names with letters beyond ASCII, as certificates have them: `bücher.example` is `xn--bcher-kva.example`. RFC 3492, and of
/// the mappings of RFC 5895 lower case and composed letters.
package enum InternationalName {
    /// `nil` where a label cannot be written so: it is empty, or too long.
    package static func ascii(_ name: String) -> String? {
        let labels = composed(name.lowercased())
            .split(omittingEmptySubsequences: false) {
                $0 == "." || $0 == "\u{3002}" || $0 == "\u{FF0E}" || $0 == "\u{FF61}"
            }
        var written: [String] = []
        for label in labels {
            if label.utf8.allSatisfy({ $0 < 0x80 }) {
                written.append(String(label))
            } else {
                guard let code = punycode(Array(label.unicodeScalars)) else { return nil }
                written.append("xn--" + code)
            }
        }
        return written.joined(separator: ".")
    }

    /// Normalization Form C. Elsewhere than on Apple's systems Foundation would bring 30 MB of tables into every program, and the
    /// standard library has it, if only for Foundation's own use.
    private static func composed(_ text: String) -> String {
        #if canImport(Darwin)
        text.precomposedStringWithCanonicalMapping
        #else
        String(decoding: text._nfcCodeUnits, as: UTF8.self)
        #endif
    }

    private static let (base, letterMin, letterMax, skew, damp) = (36, 1, 26, 38, 700)
    /// A label has at most 63 bytes, and so this is already too long.
    private static let scalarsMax = 63

    /// RFC 3492 §6.3
    private static func punycode(_ scalars: [Unicode.Scalar]) -> String? {
        guard scalars.count <= scalarsMax, !scalars.contains(where: { $0.value < 0x21 || $0.value == 0x7F }) else {
            return nil
        }
        let basic = scalars.filter(\.isASCII)
        var output = basic.map { UInt8($0.value) }
        if !basic.isEmpty { output.append(UInt8(ascii: "-")) }
        var (handled, bias, delta, next) = (basic.count, 72, 0, UInt32(0x80))
        while handled < scalars.count {
            // The smallest that has not been written yet: there is one, for not all are handled.
            let smallest = scalars.lazy.map(\.value).filter { $0 >= next }.min() ?? next
            delta += Int(smallest - next) * (handled + 1)
            next = smallest
            for scalar in scalars {
                if scalar.value < next { delta += 1 }
                guard scalar.value == next else { continue }
                write(delta, bias, to: &output)
                bias = adapted(delta, count: handled + 1, isFirst: handled == basic.count)
                delta = 0
                handled += 1
            }
            delta += 1
            next += 1
        }
        return String(decoding: output, as: UTF8.self)
    }

    private static func write(_ delta: Int, _ bias: Int, to output: inout [UInt8]) {
        var rest = delta
        var place = base
        while true {
            let threshold = min(max(place - bias, letterMin), letterMax)
            if rest < threshold { break }
            output.append(digit(threshold + (rest - threshold) % (base - threshold)))
            rest = (rest - threshold) / (base - threshold)
            place += base
        }
        output.append(digit(rest))
    }

    private static func digit(_ value: Int) -> UInt8 { UInt8(value < 26 ? value + 0x61 : value - 26 + 0x30) }

    /// §6.1
    private static func adapted(_ delta: Int, count: Int, isFirst: Bool) -> Int {
        var delta = isFirst ? delta / damp : delta / 2
        delta += delta / count
        var steps = 0
        while delta > ((base - letterMin) * letterMax) / 2 {
            delta /= base - letterMin
            steps += base
        }
        return steps + (base - letterMin + 1) * delta / (delta + skew)
    }
}
