// `RandomPacket.swift` is the tests' and imports their module of this name; its generator is the one in Fuzz/Targets/FuzzBytes.swift
// here, which draws from the fuzzer's bytes.
