/// A queue of values: first in, first out. Memory is kept while it is used and given back when it runs empty after growing
/// large.
struct Fifo<Element> {
    private var elements: [Element?] = []
    private var head = 0

    var count: Int { elements.count - head }
    var isEmpty: Bool { count == 0 }
    var first: Element? { isEmpty ? nil : elements[head] }

    /// Elements beyond which the memory is not kept for the next use.
    private static var keptMax: Int { 4_096 }

    mutating func append(_ element: Element) { elements.append(element) }

    /// Puts elements before all others, in their order.
    mutating func prepend(_ before: [Element]) {
        guard !before.isEmpty else { return }
        elements.replaceSubrange(..<head, with: before.map(Optional.some))
        head = 0
    }

    mutating func popFirst() -> Element? {
        guard head < elements.count else { return nil }
        let element = elements[head].take()
        head += 1
        if head == elements.count {
            elements.removeAll(keepingCapacity: head <= Self.keptMax)
            head = 0
        } else if head > 64, head * 2 > elements.count {
            elements.removeFirst(head)
            head = 0
        }
        return element
    }

    /// Takes out the first element that fits.
    mutating func removeFirst(where fits: (Element) -> Bool) -> Element? {
        guard let at = elements[head...].firstIndex(where: { $0.map(fits) ?? false }) else { return nil }
        return elements.remove(at: at)
    }

    mutating func removeAll() -> [Element] {
        let all = elements[head...].compactMap(\.self)
        elements = []
        head = 0
        return all
    }

    /// Changes the first element that fits; false where none does.
    mutating func update(where fits: (Element) -> Bool, _ change: (inout Element) -> Void) -> Bool {
        guard let at = elements[head...].firstIndex(where: { $0.map(fits) ?? false }), var element = elements[at]
        else { return false }
        change(&element)
        elements[at] = element
        return true
    }
}
