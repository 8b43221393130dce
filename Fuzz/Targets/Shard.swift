import BrokerCore

/// Target `shard`: the bytes are a script. Connections come, send whole packets, nonsense and halves, stop reading and go;
/// time passes; storage answers late, in any order, or fails; two shards are told of each other late. After each step
/// `ShardWorld.check` looks whether everything still holds, and at the end nothing may be left.
@_cdecl("martlet_fuzz_shard")
package func fuzzShard(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    var bytes = FuzzBytes(data, size)
    let world = ShardWorld(limits: bytes.byte(), shards: 1 + Int(bytes.byte() & 1))
    // Every step takes a byte, so the script ends with its bytes.
    while !bytes.isEmpty {
        step(&bytes, in: world)
        world.settle()
        world.check()
    }
    world.tearDown()
    return 0
}

/// One step: the low nibble says what, the high one which connection.
private func step(_ bytes: inout FuzzBytes, in world: ShardWorld) {
    let code = bytes.byte()
    let peer = Int(code >> 4) % ShardWorld.peersMax
    switch code & 0x0F {
    case 0: world.connect(peer)
    case 1:
        let count = Int(bytes.byte())
        world.send(bytes.take(count), from: peer)
    case 2:
        world.connect(peer)
        world.send(Script.connect(&bytes), from: peer)
    case 3:
        world.connect(peer)
        world.send(Script.connect(&bytes), from: peer)
        world.flush()
    case 4: world.send(Script.publish(&bytes, world.version(of: peer)), from: peer)
    case 5: world.send(Script.subscribe(&bytes, world.version(of: peer)), from: peer)
    case 6: world.send(Script.unsubscribe(&bytes, world.version(of: peer)), from: peer)
    case 7: world.send(Script.acknowledgement(&bytes), from: peer)
    case 8: world.advance(by: bytes.pick([1, 10, 100, 1_000, 1_500, 5_000, 10_000, 60_000, 100_000, 4_000_000]))
    case 9: world.setWritable(peer, code & 0x10 == 0 ? true : false)
    case 10: world.answerStorage(Int(bytes.byte()))
    case 11: world.storageMood = bytes.pick([.healthy, .full, .forgetful])
    case 12: world.endTick()
    case 13: world.hangUp(peer)
    case 14:
        world.endTick()
        world.answerEverything()
    default: world.send(Script.other(&bytes, world.version(of: peer)), from: peer)
    }
}
