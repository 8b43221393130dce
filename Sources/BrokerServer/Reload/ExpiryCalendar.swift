import Certificates
import MQTTTransport

/// Says of certificates and CRLs that they run out: 30, 7 and 1 days before and when they have, once each. Time is told.
struct ExpiryCalendar: Sendable {
    /// Days left, at most, at which something is said; 0 = it is over.
    static let days = [0, 1, 7, 30]
    private static let secondsOfDay: Int64 = 86_400

    struct Warning: Equatable {
        let text: String
        /// It counts no longer.
        let isOver: Bool
    }

    /// What was said last, in days.
    private var said: [DatedDocument: Int] = [:]

    /// What is to be said now about these, each once.
    mutating func warnings(about documents: [DatedDocument], at now: Timestamp) -> [Warning] {
        var known: [DatedDocument: Int] = [:]
        var warnings: [Warning] = []
        for document in documents where known[document] == nil {
            guard let stage = ExpiryCalendar.stage(of: document, at: now) else { continue }
            let before = said[document]
            known[document] = min(stage, before ?? .max)
            if stage < before ?? .max { warnings.append(ExpiryCalendar.warning(document, stage, now)) }
        }
        // Those that are there no longer are forgotten.
        said = known
        return warnings
    }

    /// The smallest number of `days` it has come to; `nil`: there is time.
    private static func stage(of document: DatedDocument, at now: Timestamp) -> Int? {
        let left = document.end.seconds - now.seconds
        return days.first { $0 == 0 ? left < 0 : left <= Int64($0) * secondsOfDay }
    }

    private static func warning(_ document: DatedDocument, _ stage: Int, _ now: Timestamp) -> Warning {
        let what =
            switch document.kind {
            case .certificate: "certfile \(document.file): the certificate of \(document.name)"
            case .authority: "\(document.file): the authority \(document.name)"
            case .revocationList: "crlfile \(document.file): the list of \(document.name)"
            }
        guard stage > 0 else {
            return Warning(text: "\(what) has expired on \(document.end); \(effect(document.kind)).", isOver: true)
        }
        let left = (document.end.seconds - now.seconds) / secondsOfDay
        let time = left == 0 ? "in less than a day" : left == 1 ? "in a day" : "in \(left) days"
        return Warning(text: "\(what) expires \(time), on \(document.end).", isOver: false)
    }

    private static func effect(_ kind: DatedDocument.Kind) -> String {
        switch kind {
        case .certificate: "clients refuse to connect"
        case .authority: "the certificates it signed are refused"
        case .revocationList: "nobody who needs it is let in until there is a new one"
        }
    }

    /// Of `new`, what is over already and was not there before: bringing it in helps nobody. Authorities are not meant: a file
    /// of many may hold an old one.
    static func expired(_ new: [DatedDocument], not old: [DatedDocument], at now: Timestamp) -> [String] {
        let before = Set(old)
        return new.filter { $0.kind != .authority && $0.end < now && !before.contains($0) }
            .map { ExpiryCalendar.warning($0, 0, now).text }
    }
}
