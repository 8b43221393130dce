/// Who published the retained messages: each once, however many there are of it. It counts how many name it, and forgets
/// whom none names.
struct SourceTable {
    /// Stands for somebody; 0 = nobody, or the server itself.
    typealias Number = UInt32

    private struct Entry {
        var subject: AccessSubject
        var messages: Int
    }

    private var entries: [Entry?] = [nil]
    private var numbers: [AccessSubject: Number] = [:]
    private var free: [Number] = []
    /// Who was entered last: a client that publishes many, or one topic again and again, is not looked for.
    private var last: Number = 0

    /// How many there are.
    var count: Int { numbers.count }

    subscript(number: Number) -> AccessSubject? { entries[Int(number)]?.subject }

    /// Their number, counted for one message more.
    mutating func enter(_ subject: AccessSubject) -> Number {
        if let known = entries[Int(last)]?.subject == subject ? last : numbers[subject] {
            entries[Int(known)]?.messages += 1
            last = known
            return known
        }
        let number = free.popLast() ?? Number(entries.count)
        if Int(number) == entries.count { entries.append(nil) }
        entries[Int(number)] = Entry(subject: subject, messages: 1)
        numbers[subject] = number
        last = number
        return number
    }

    /// One message less is theirs.
    mutating func leave(_ number: Number) {
        guard number != 0, let entry = entries[Int(number)] else { return }
        guard entry.messages == 1 else {
            entries[Int(number)]?.messages -= 1
            return
        }
        entries[Int(number)] = nil
        numbers[entry.subject] = nil
        free.append(number)
    }
}
