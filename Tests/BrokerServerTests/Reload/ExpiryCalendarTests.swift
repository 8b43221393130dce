import Certificates
import MQTTTransport
import Testing

@testable import BrokerServer

@Suite("What runs out is said at 30, 7 and 1 days, and when it is over")
struct ExpiryCalendarTests {
    private static let day: Int64 = 86_400
    private static let end: Int64 = 1_800_000_000
    private let certificate = DatedDocument(
        kind: .certificate, file: "/s.crt", name: "localhost", end: Timestamp(seconds: end))

    /// Days before the end at which something is said, when somebody looks every six hours from 40 days before to 3 after.
    private func said(about documents: [DatedDocument]) -> [Double] {
        var calendar = ExpiryCalendar()
        var days: [Double] = []
        for quarter in stride(from: Int64(40 * 4), through: -12, by: -1) {
            let now = Timestamp(seconds: Self.end - quarter * Self.day / 4)
            for _ in calendar.warnings(about: documents, at: now) { days.append(Double(quarter) / 4) }
        }
        return days
    }

    @Test("once each, and not again")
    func stages() { #expect(said(about: [certificate]) == [30, 7, 1, -0.25]) }

    @Test("the same document of several listeners once")
    func shared() { #expect(said(about: [certificate, certificate]) == [30, 7, 1, -0.25]) }

    @Test("a late first look says only where it stands")
    func late() {
        var calendar = ExpiryCalendar()
        let now = Timestamp(seconds: Self.end - 3 * Self.day)
        let first = calendar.warnings(about: [certificate], at: now)
        #expect(first.map(\.isOver) == [false])
        #expect(
            first[0].text.contains("certfile /s.crt: the certificate of localhost expires in 3 days, on 2027-01-15"))
        #expect(calendar.warnings(about: [certificate], at: now) == [])
        // It was renewed meanwhile, and comes back: said anew.
        #expect(calendar.warnings(about: [], at: now) == [])
        #expect(calendar.warnings(about: [certificate], at: now).count == 1)
    }

    @Test("over: each kind says what that means")
    func over() {
        let now = Timestamp(seconds: Self.end + 1)
        for (kind, effect) in [
            (DatedDocument.Kind.certificate, "clients refuse to connect"),
            (.authority, "the certificates it signed are refused"),
            (.revocationList, "nobody who needs it is let in until there is a new one"),
        ] {
            var calendar = ExpiryCalendar()
            let document = DatedDocument(kind: kind, file: "/f", name: "X", end: certificate.end)
            let warnings = calendar.warnings(about: [document], at: now)
            #expect(warnings.map(\.isOver) == [true])
            #expect(warnings[0].text.hasSuffix("; \(effect)."))
        }
    }

    @Test("a reload brings in nothing that is over already; what was there, and authorities, are no obstacle")
    func news() {
        let now = Timestamp(seconds: Self.end + 1)
        let authority = DatedDocument(kind: .authority, file: "/ca", name: "CA", end: certificate.end)
        #expect(ExpiryCalendar.expired([certificate, authority], not: [], at: now).count == 1)
        #expect(ExpiryCalendar.expired([certificate, authority], not: [certificate], at: now) == [])
        #expect(ExpiryCalendar.expired([certificate], not: [], at: certificate.end) == [])
    }
}
