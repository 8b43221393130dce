import CPKCS11
import Synchronization

#if canImport(Darwin)
import Darwin
#elseif canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// A PKCS#11 module: a library that knows tokens, loaded at run time. A process loads each once, however often it is
/// asked for, and never unloads it.
public final class PKCS11Module: Sendable {
    /// The file.
    public let path: String
    // The list is the module's own and lives as long as the process; nobody writes to it.
    nonisolated(unsafe) let functions: UnsafePointer<CK_FUNCTION_LIST>
    /// Where the module cannot lock, all its tokens share one thread.
    let sharedThread: TokenThread?

    private static let loaded = Mutex<[String: PKCS11Module]>([:])

    /// Loads and starts a module.
    /// - Parameter path: of the library; one without a slash is looked for where the system's libraries are.
    /// - Throws: `moduleMissing`, `notAModule`.
    public static func load(_ path: String) throws(KeyStoreError) -> PKCS11Module {
        try loaded.withLock { loaded throws(KeyStoreError) in
            if let module = loaded[path] { return module }
            let module = try PKCS11Module(path)
            loaded[path] = module
            return module
        }
    }

    private init(_ path: String) throws(KeyStoreError) {
        guard let handle = dlopen(path, RTLD_NOW | RTLD_LOCAL) else {
            throw .moduleMissing(path: path, reason: dlerror().map { String(cString: $0) } ?? "unknown reason")
        }
        guard let symbol = dlsym(handle, "C_GetFunctionList") else {
            dlclose(handle)
            throw .notAModule(path: path, reason: "it has no C_GetFunctionList")
        }
        let getFunctionList = unsafeBitCast(symbol, to: CK_C_GetFunctionList.self)
        var list: UnsafeMutablePointer<CK_FUNCTION_LIST>?
        guard getFunctionList(&list) == ReturnValue.ok, let list else {
            throw .notAModule(path: path, reason: "C_GetFunctionList gives no list")
        }
        self.path = path
        functions = UnsafePointer(list)
        sharedThread = try Self.start(functions, path) ? nil : TokenThread("pkcs11")
    }

    /// - Returns: whether the module locks.
    private static func start(
        _ functions: UnsafePointer<CK_FUNCTION_LIST>, _ path: String
    ) throws(KeyStoreError) -> Bool {
        var arguments = CK_C_INITIALIZE_ARGS()
        arguments.flags = systemLocks
        var result = functions.pointee.C_Initialize(&arguments)
        let locks = result != ReturnValue.cannotLock
        if !locks { result = functions.pointee.C_Initialize(nil) }
        guard result == ReturnValue.ok || result == ReturnValue.alreadyInitialized else {
            throw .notAModule(path: path, reason: "C_Initialize says \(ReturnValue.name(result))")
        }
        return locks
    }

    /// Begins again where somebody else in this process has ended the module.
    func restart() { _ = try? Self.start(functions, path) }

    /// The tokens that are there now. Blocks as long as the module does: not for an event loop.
    /// - Throws: `notAModule` where it cannot say.
    public func tokens() throws(KeyStoreError) -> [TokenDescription] {
        var slots: [CK_ULONG] = []
        // The number may grow between two questions.
        for _ in 0..<4 {
            var count: CK_ULONG = 0
            try check(functions.pointee.C_GetSlotList(1, nil, &count))
            slots = Array(repeating: 0, count: Int(count))
            guard count > 0 else { return [] }
            let result = functions.pointee.C_GetSlotList(1, &slots, &count)
            if result == ReturnValue.ok {
                slots.removeLast(slots.count - Int(count))
                break
            }
            slots = []
        }
        return slots.compactMap(description)
    }

    private func check(_ result: CK_RV) throws(KeyStoreError) {
        guard result == ReturnValue.ok else {
            throw .notAModule(path: path, reason: "C_GetSlotList says \(ReturnValue.name(result))")
        }
    }

    /// Nil where there is none, or one that is not initialized.
    func description(slot: CK_ULONG) -> TokenDescription? {
        var information = CK_TOKEN_INFO()
        guard functions.pointee.C_GetTokenInfo(slot, &information) == ReturnValue.ok,
            information.flags & TokenFlag.initialized != 0
        else { return nil }
        return TokenDescription(slot: UInt64(slot), information)
    }

    /// The one token that is meant.
    /// - Throws: `noSuchToken`, `severalTokens`, `notAModule`.
    public func token(_ wanted: TokenReference) throws(KeyStoreError) -> TokenDescription {
        let all = try tokens()
        let fitting = all.filter(wanted.fits)
        guard let first = fitting.first else {
            throw .noSuchToken(wanted: "\(wanted)", module: path, present: all.map(\.label))
        }
        guard fitting.count == 1 else { throw .severalTokens(wanted: "\(wanted)", present: fitting.map(\.description)) }
        return first
    }
}

/// What a token says of itself.
public struct TokenDescription: Sendable, Hashable, CustomStringConvertible {
    /// Where it is plugged in; may change.
    public let slot: UInt64
    public let label: String
    public let manufacturer: String
    public let model: String
    public let serialNumber: String
    let flags: CK_ULONG

    init(slot: UInt64, _ information: CK_TOKEN_INFO) {
        self.slot = slot
        label = Self.text(of: information.label)
        manufacturer = Self.text(of: information.manufacturerID)
        model = Self.text(of: information.model)
        serialNumber = Self.text(of: information.serialNumber)
        flags = information.flags
    }

    /// Fixed fields, filled up with blanks.
    private static func text<Field>(of field: Field) -> String {
        withUnsafeBytes(of: field) { bytes in
            var end = bytes.count
            while end > 0, bytes[end - 1] == 0x20 || bytes[end - 1] == 0 { end -= 1 }
            return String(decoding: bytes[..<end], as: UTF8.self)
        }
    }

    public var description: String { "'\(label)' (serial number \(serialNumber))" }
}

/// Which token is meant; what is nil does not matter. All nil means the only one there is.
public struct TokenReference: Sendable, Hashable, CustomStringConvertible {
    public var label: String?
    public var serialNumber: String?
    public var manufacturer: String?
    public var model: String?
    public var slot: UInt64?

    public init(
        label: String? = nil, serialNumber: String? = nil, manufacturer: String? = nil, model: String? = nil,
        slot: UInt64? = nil
    ) {
        self.label = label
        self.serialNumber = serialNumber
        self.manufacturer = manufacturer
        self.model = model
        self.slot = slot
    }

    func fits(_ token: TokenDescription) -> Bool {
        (label ?? token.label) == token.label && (serialNumber ?? token.serialNumber) == token.serialNumber
            && (manufacturer ?? token.manufacturer) == token.manufacturer && (model ?? token.model) == token.model
            && (slot ?? token.slot) == token.slot
    }

    public var description: String {
        let parts = [
            label.map { "the label '\($0)'" }, serialNumber.map { "the serial number '\($0)'" },
            manufacturer.map { "the manufacturer '\($0)'" }, model.map { "the model '\($0)'" },
            slot.map { "the slot \($0)" },
        ].compactMap(\.self)
        return parts.isEmpty ? "any label" : parts.joined(separator: " and ")
    }
}
