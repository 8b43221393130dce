/// Things with a number that is used again: connections, sessions, groups. Elements do not move while no slot is
/// taken; the pointers handed out are for one call.
struct SlotTable<Element: ~Copyable>: ~Copyable {
    private var elements: UnsafeMutablePointer<Element>
    private var taken: UnsafeMutablePointer<Bool>
    private var capacity = 16
    private(set) var highWater = 0
    private var freeSlots: [UInt32] = []
    private(set) var count = 0

    /// No slot.
    static var none: UInt32 { .max }

    init() {
        elements = .allocate(capacity: capacity)
        taken = .allocate(capacity: capacity)
        taken.initialize(repeating: false, count: capacity)
    }

    deinit {
        for slot in 0..<highWater where taken[slot] { (elements + slot).deinitialize(count: 1) }
        elements.deallocate()
        taken.deallocate()
    }

    @inline(__always)
    func pointer(_ slot: UInt32) -> UnsafeMutablePointer<Element> {
        assert(isTaken(slot), "slot \(slot) is free")
        return elements + Int(slot)
    }

    func isTaken(_ slot: UInt32) -> Bool { Int(slot) < highWater && taken[Int(slot)] }

    mutating func insert(_ element: consuming Element) -> UInt32 {
        let slot: UInt32
        if let free = freeSlots.popLast() {
            slot = free
        } else {
            if highWater == capacity { grow() }
            slot = UInt32(highWater)
            highWater += 1
        }
        (elements + Int(slot)).initialize(to: element)
        taken[Int(slot)] = true
        count += 1
        return slot
    }

    mutating func remove(_ slot: UInt32) {
        precondition(isTaken(slot), "slot \(slot) is taken")
        (elements + Int(slot)).deinitialize(count: 1)
        taken[Int(slot)] = false
        freeSlots.append(slot)
        count -= 1
    }

    private mutating func grow() {
        let larger = UnsafeMutablePointer<Element>.allocate(capacity: capacity * 2)
        larger.moveInitialize(from: elements, count: highWater)
        elements.deallocate()
        elements = larger
        let flags = UnsafeMutablePointer<Bool>.allocate(capacity: capacity * 2)
        flags.initialize(repeating: false, count: capacity * 2)
        flags.update(from: taken, count: highWater)
        taken.deallocate()
        taken = flags
        capacity *= 2
    }
}
