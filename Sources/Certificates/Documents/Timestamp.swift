/// A moment in seconds since 1970-01-01 00:00:00 UTC, as certificates count: no fractions, no leap seconds.
package struct Timestamp: Hashable, Comparable, Sendable {
    package let seconds: Int64

    package init(seconds: Int64) { self.seconds = seconds }

    package static func < (left: Timestamp, right: Timestamp) -> Bool { left.seconds < right.seconds }

    package func adding(days: Int) -> Timestamp { Timestamp(seconds: seconds + Int64(days) * Self.day) }
    package func adding(seconds more: Int64) -> Timestamp { Timestamp(seconds: seconds + more) }

    package static let day: Int64 = 86_400

    /// Whole days from `other` to this moment, rounded down.
    package func days(since other: Timestamp) -> Int {
        let difference = seconds - other.seconds
        return Int(difference >= 0 ? difference / Self.day : -((-difference + Self.day - 1) / Self.day))
    }
}

// MARK: - Calendar

extension Timestamp {
    /// Year, month 1…12, day 1…31, hour, minute, second, all in UTC.
    package struct Calendar: Equatable, Sendable {
        package var year: Int
        package var month: Int
        package var day: Int
        package var hour = 0
        package var minute = 0
        package var second = 0

        package init(year: Int, month: Int, day: Int, hour: Int = 0, minute: Int = 0, second: Int = 0) {
            (self.year, self.month, self.day) = (year, month, day)
            (self.hour, self.minute, self.second) = (hour, minute, second)
        }
    }

    /// `nil` when there is no such day or time of day.
    package init?(_ calendar: Calendar) {
        guard (1...12).contains(calendar.month), (0...23).contains(calendar.hour), (0...59).contains(calendar.minute),
            (0...59).contains(calendar.second), (0...9999).contains(calendar.year),
            calendar.day >= 1, calendar.day <= Self.days(inMonth: calendar.month, of: calendar.year)
        else { return nil }
        // Days since 1970-03-01's era, counted from March so that a leap day ends the year.
        let year = calendar.month <= 2 ? calendar.year - 1 : calendar.year
        let era = (year >= 0 ? year : year - 399) / 400
        let yearOfEra = year - era * 400
        let dayOfYear = (153 * (calendar.month + (calendar.month > 2 ? -3 : 9)) + 2) / 5 + calendar.day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        let days = Int64(era * 146_097 + dayOfEra - 719_468)
        seconds = days * Self.day + Int64(calendar.hour * 3600 + calendar.minute * 60 + calendar.second)
    }

    package var calendar: Calendar {
        let dayCount = Int((seconds >= 0 ? seconds : seconds - Self.day + 1) / Self.day)
        let secondOfDay = Int(seconds - Int64(dayCount) * Self.day)
        let shifted = dayCount + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        return Calendar(
            year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month: month,
            day: dayOfYear - (153 * shiftedMonth + 2) / 5 + 1,
            hour: secondOfDay / 3600, minute: secondOfDay / 60 % 60, second: secondOfDay % 60)
    }

    static func days(inMonth month: Int, of year: Int) -> Int {
        switch month {
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }
}

// MARK: - As certificates write it

extension Timestamp {
    /// `YYMMDDHHMMSSZ`, years 1950 to 2049. RFC 5280 §4.1.2.5.1
    init?(utcTime bytes: ArraySlice<UInt8>) {
        guard bytes.count == 13, let digits = Self.digits(bytes) else { return nil }
        let year = digits[0] * 10 + digits[1]
        self.init(digits: digits.dropFirst(2), year: year < 50 ? 2000 + year : 1900 + year)
    }

    /// `YYYYMMDDHHMMSSZ`. RFC 5280 §4.1.2.5.2
    init?(generalizedTime bytes: ArraySlice<UInt8>) {
        guard bytes.count == 15, let digits = Self.digits(bytes) else { return nil }
        self.init(
            digits: digits.dropFirst(4), year: digits[0] * 1000 + digits[1] * 100 + digits[2] * 10 + digits[3])
    }

    private static func digits(_ bytes: ArraySlice<UInt8>) -> [Int]? {
        guard bytes.last == UInt8(ascii: "Z") else { return nil }
        var digits: [Int] = []
        for byte in bytes.dropLast() {
            guard (0x30...0x39).contains(byte) else { return nil }
            digits.append(Int(byte) - 0x30)
        }
        return digits
    }

    private init?(digits: ArraySlice<Int>, year: Int) {
        let pairs = stride(from: digits.startIndex, to: digits.endIndex, by: 2).map { digits[$0] * 10 + digits[$0 + 1] }
        self.init(
            Calendar(
                year: year, month: pairs[0], day: pairs[1], hour: pairs[2], minute: pairs[3], second: pairs[4]))
    }

    /// The text between tag and length, and whether it is a GeneralizedTime: from 2050 on it must be.
    var encoded: (text: String, isGeneralized: Bool) {
        let calendar = calendar
        let tail = [calendar.month, calendar.day, calendar.hour, calendar.minute, calendar.second]
            .map { Self.padded($0, 2) }.joined()
        let isGeneralized = !(1950..<2050).contains(calendar.year)
        let year = isGeneralized ? Self.padded(calendar.year, 4) : Self.padded(calendar.year % 100, 2)
        return (year + tail + "Z", isGeneralized)
    }

    /// `YYMMDDHHMMSSZ`
    package var utcTime: String { encoded.text }

    private static func padded(_ number: Int, _ width: Int) -> String {
        let text = String(number)
        return String(repeating: "0", count: max(0, width - text.count)) + text
    }
}

extension Timestamp: CustomStringConvertible {
    /// `2026-11-21 14:40:26 UTC`
    package var description: String {
        let calendar = calendar
        let day = [Self.padded(calendar.year, 4), Self.padded(calendar.month, 2), Self.padded(calendar.day, 2)]
        let time = [calendar.hour, calendar.minute, calendar.second].map { Self.padded($0, 2) }
        return day.joined(separator: "-") + " " + time.joined(separator: ":") + " UTC"
    }
}
