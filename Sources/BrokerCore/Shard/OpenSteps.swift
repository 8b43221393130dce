import DequeModule

/// Steps of QoS 2 on their way into the log, in the order in which their packets are to leave: a PUBLISH when its `sent`
/// is kept, a PUBREL when its `pubrec` is. A step that storage refuses is asked for again, and those behind it wait.
struct OpenSteps {
    enum State: UInt8 {
        case asked, kept, refused
    }

    struct Step {
        var identifier: UInt16
        var state: State
        /// An earlier connection began it: its packet leaves among those that are sent again.
        var isResent: Bool
    }

    private var steps: Deque<Step> = []

    var isEmpty: Bool { steps.isEmpty }

    func contains(_ identifier: UInt16) -> Bool { steps.contains { $0.identifier == identifier } }

    mutating func append(_ identifier: UInt16) {
        steps.append(Step(identifier: identifier, state: .asked, isResent: false))
    }

    /// Storage has answered. Answers come in order: the search is short.
    mutating func mark(_ identifier: UInt16, _ state: State) {
        guard let at = steps.firstIndex(where: { $0.identifier == identifier && $0.state == .asked }) else { return }
        steps[at].state = state
    }

    /// The next step whose packet may leave.
    mutating func takeKept() -> Step? {
        guard let first = steps.first, first.state == .kept else { return nil }
        return steps.removeFirst()
    }

    /// Those that were refused are asked for again.
    mutating func takeRefused() -> [UInt16] {
        var identifiers: [UInt16] = []
        for i in steps.indices where steps[i].state == .refused {
            steps[i].state = .asked
            identifiers.append(steps[i].identifier)
        }
        return identifiers
    }

    /// A new connection: what is open is sent among what was sent before.
    mutating func resend() {
        for i in steps.indices { steps[i].isResent = true }
    }
}
