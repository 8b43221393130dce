#if canImport(Darwin)
import Darwin
#elseif canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// When a message came, on the wall clock; and what a calendar calls it here.
package struct Moment: Sendable, Hashable {
    /// Since 1970.
    package let seconds: Int
    /// 0 to 999,999,999.
    package let nanoseconds: Int

    package init(seconds: Int, nanoseconds: Int) {
        self.seconds = seconds
        self.nanoseconds = nanoseconds
    }

    package static var now: Moment {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Moment(seconds: time.tv_sec, nanoseconds: time.tv_nsec)
    }

    /// One field of `strftime`, as `@H`.
    func append(strftime letter: UInt8, to line: inout [UInt8]) {
        line += text("%\(Character(UnicodeScalar(letter)))")
    }

    /// `2026-11-21T20:34:48+0000`, local.
    var iso: [UInt8] { text("%FT%T%z") }

    /// `2026-11-21T20:34:48.972663Z+0000`, as mosquitto 2.0 writes it: the `Z` means nothing.
    var mosquitto: [UInt8] {
        text("%FT%T") + [UInt8(ascii: ".")] + Decimal.padded(nanoseconds / 1_000, 6) + text("Z%z")
    }

    /// RFC 3339, local time with its offset: `2026-11-21T20:34:48.972663+00:00`.
    package var rfc3339: [UInt8] {
        var zone = text("%z")
        if zone.count == 5 { zone.insert(UInt8(ascii: ":"), at: 3) }
        return text("%FT%T") + [UInt8(ascii: ".")] + Decimal.padded(nanoseconds / 1_000, 6) + zone
    }

    private func text(_ format: String) -> [UInt8] {
        var time = time_t(seconds)
        var calendar = tm()
        guard localtime_r(&time, &calendar) != nil else { return [] }
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 128) { buffer in
            let count = strftime(buffer.baseAddress, buffer.count, format, &calendar)
            return buffer.prefix(count).map { UInt8(bitPattern: $0) }
        }
    }
}

/// Numbers as text.
enum Decimal {
    /// With zeros in front, up to so many digits.
    static func padded(_ value: Int, _ digits: Int) -> [UInt8] {
        let text = Array(String(value).utf8)
        return Array(repeating: UInt8(ascii: "0"), count: max(0, digits - text.count)) + text
    }

    /// As `printf("%.*f")` has it.
    static func text(_ value: Double, places: Int) -> String {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 512) { buffer in
            let count = withVaList([CInt(min(places, 100)), value]) {
                vsnprintf(buffer.baseAddress, buffer.count, "%.*f", $0)
            }
            return String(decoding: buffer.prefix(Int(count)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }
    }
}
