/// Text from elsewhere, made fit for a terminal: what others write must not move our cursor, ring our bell or turn our text round.
package enum SafeText {
    /// Control characters become their pictures (`␛`), the rest of what could do harm `U+FFFD`.
    package static func shown(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: { isForbidden($0) }) else { return text }
        var safe = String.UnicodeScalarView()
        for scalar in text.unicodeScalars { safe.append(isForbidden(scalar) ? picture(scalar) : scalar) }
        return String(safe)
    }

    /// C0, DEL, C1, line and paragraph separators, and what turns the direction of writing.
    static func isForbidden(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0...0x1F, 0x7F...0x9F, 0x200E, 0x200F, 0x2028...0x202E, 0x2066...0x2069, 0xFEFF, 0xFFF9...0xFFFB: true
        default: false
        }
    }

    private static func picture(_ scalar: Unicode.Scalar) -> Unicode.Scalar {
        switch scalar.value {
        case 0...0x1F: Unicode.Scalar(0x2400 + scalar.value) ?? "\u{FFFD}"
        case 0x7F: "\u{2421}"
        default: "\u{FFFD}"
        }
    }
}
