// What C libraries spell differently, and what types with a `read` or `write` of their own cannot call by its plain name. One place
// for the client library and all that it reaches.

#if canImport(Darwin)
import Darwin
#elseif canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// read(2): bytes read, 0 at the end, −1 with `errno`.
package func systemRead(_ descriptor: CInt, _ bytes: UnsafeMutableRawPointer?, _ bytesMax: Int) -> Int {
    read(descriptor, bytes, bytesMax)
}

/// write(2): bytes written, −1 with `errno`.
package func systemWrite(_ descriptor: CInt, _ bytes: UnsafeRawPointer?, _ count: Int) -> Int {
    write(descriptor, bytes, count)
}

/// `SOCK_STREAM`, which is an enumeration's case in Glibc and a number elsewhere.
package var streamSocketType: CInt {
    #if canImport(Glibc)
    CInt(SOCK_STREAM.rawValue)
    #else
    SOCK_STREAM
    #endif
}
