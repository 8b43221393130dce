/// Reads files line by line into a configuration and remarks about it.
///
/// Owns what a line's meaning depends on: the current listener, what was set before, `per_listener_settings`. Knows no
/// single key; those are rows of `ConfigurationKey`. Keys with a form of their own: `ConfigurationReader+statements`. What
/// the files left open is decided in `finish()`.
struct ConfigurationReader {
    var configuration = BrokerConfiguration()
    var security = SecurityDraft()
    /// Where its lines stand.
    var securityPlaces = SettingPlaces()
    var listeners: [ListenerDraft] = []
    /// Index of the listener the lines are about; an included file begins without one, and its end brings the old one back.
    var currentListener: Int?
    /// Index of the listener that `port`, `bind_address` or an option above all listeners made.
    var defaultListener: Int?
    var isPerListener = false
    /// A security setting was read: too late for `per_listener_settings true`.
    var hasSecuritySettings = false
    /// `log_dest` and `log_type` replace the defaults when they come first, and add afterwards.
    var hasLogDestinations = false
    var hasLogTypes = false
    var bridges: [BridgeDraft] = []
    /// Index of the bridge the lines are about; an included file begins without one.
    var currentBridge: Int?
    var plugins: [PluginDraft] = []
    /// Index of the plugin the option lines are about; an included file begins without one.
    var currentPlugin: Int?
    var includedFiles = 0

    /// Every line that could be read, where somebody wants to know.
    private(set) var settings: [ConfigurationReport.Setting] = []
    private(set) var problems: [Diagnostic] = []
    private(set) var remarks: [Diagnostic] = []
    /// Where a key was set first, by what it was set for.
    private var settled: [SettledKey: String] = [:]

    /// The place of the line being read.
    private(set) var file: String
    private(set) var line = 0
    /// 0 in the file given to the broker, 1 in those of `include_dir`.
    private(set) var depth = 0
    /// False for text from memory: `include_dir` is then only checked.
    let readsDisk: Bool
    /// What becomes of bridges.
    let unhonoured: Unhonoured

    private struct SettledKey: Hashable {
        let name: String
        /// Index of the listener or bridge, `nil` for the broker.
        let target: Int?
    }

    init(file: String, readsDisk: Bool, unhonoured: Unhonoured) {
        self.file = file
        self.readsDisk = readsDisk
        self.unhonoured = unhonoured
    }

    var mayGoOn: Bool { problems.count < Limit.problemsMax }

    // MARK: Files and lines

    /// Reads one whole file; goes on after a mistake so that all of them are told at once.
    mutating func read(_ bytes: [UInt8]) {
        line = 0
        guard bytes.count <= Limit.fileBytesMax else {
            report(.error, "the file is larger than \(Limit.fileBytesMax) bytes; is this really a configuration?")
            return
        }
        var start = bytes.startIndex
        while start < bytes.endIndex, mayGoOn {
            let end = bytes[start...].firstIndex(of: UInt8(ascii: "\n")) ?? bytes.endIndex
            line += 1
            do {
                try read(line: bytes[start..<end])
            } catch {
                report(.error, error.message)
            }
            start = end < bytes.endIndex ? end + 1 : end
        }
    }

    /// Reads an included file where the current one stands.
    mutating func readIncluded(_ bytes: [UInt8], file included: String) {
        let outer = (file: file, line: line, listener: currentListener, plugin: currentPlugin, bridge: currentBridge)
        (file, depth) = (included, depth + 1)
        (currentListener, currentPlugin, currentBridge) = (nil, nil, nil)
        read(bytes)
        (file, line, depth) = (outer.file, outer.line, depth - 1)
        (currentListener, currentPlugin, currentBridge) = (outer.listener, outer.plugin, outer.bridge)
    }

    private mutating func read(line bytes: ArraySlice<UInt8>) throws(LineFault) {
        guard bytes.count <= Limit.lineBytesMax else {
            throw LineFault("the line is longer than \(Limit.lineBytesMax) bytes")
        }
        guard var line = ConfigurationLine(bytes) else { return }
        guard !bytes.contains(0) else {
            throw LineFault("the line holds a NUL byte; save the file as UTF-8")
        }
        let name = String(decoding: line.key, as: UTF8.self)
        let value = line.rest
        let place = (file: file, line: self.line)
        if let key = ConfigurationKey.named(name) ?? ConfigurationKey.pluginOption(name) {
            let isOff = try read(key, as: name, &line)
            guard unhonoured == .told else { return }
            settings.append(
                ConfigurationReport.Setting(
                    file: place.file, line: place.line, key: name, value: key.shown(value),
                    verdict: key.verdict(isOff: isOff)))
        } else if let option = ConfigurationKey.optionName(name) {
            // What plugin it is for decides whether there is such an option.
            do throws(LineFault) { try readPluginOption(option, &line) } catch {
                throw LineFault("'\(name)' \(error.message)")
            }
        } else {
            throw Self.unknown(line.key, name)
        }
    }

    // MARK: One key

    /// Returns whether the value switches the key off.
    private mutating func read(
        _ key: ConfigurationKey, as name: String, _ line: inout ConfigurationLine
    ) throws(LineFault) -> Bool {
        var isOff = false
        do {
            switch key.kind {
            case .flag(let destination):
                let target = try target(of: key, as: name)
                let value = try line.flag()
                isOff = !value
                set(value, destination, target)
                noteRepetition(of: key, target)
                noteRest(of: line)
            case .integer(let range, let destination):
                let target = try target(of: key, as: name)
                let value = try line.integer(in: range)
                isOff = value <= 0
                set(value, destination, target)
                noteRepetition(of: key, target)
                noteRest(of: line)
            case .text(let bytesMax, let mayRepeat, let destination):
                let target = try target(of: key, as: name)
                let value = try text(of: key, line, bytesMax: bytesMax)
                if mayRepeat { noteRepetition(of: key, target) } else { try refuseRepetition(of: key.name, target) }
                set(value, destination, target)
                if value.contains(" #") {
                    report(
                        .note,
                        "'\(name)' takes the whole line, '#' and what follows it too; a comment needs a line of its own"
                    )
                }
            case .choice(let words, let off, let destination):
                let target = try target(of: key, as: name)
                let value = try line.choice(of: words)
                isOff = value == off
                set(value, destination, target)
                noteRepetition(of: key, target)
                noteRest(of: line)
            case .statement(let statement):
                try read(statement, &line)
            }
            notePlace(of: key)
        } catch {
            throw LineFault("'\(name)' \(error.message)")
        }
        switch key.standing {
        case .honoured: break
        case .deprecated(let instead): report(.note, "'\(name)' is deprecated: \(instead)")
        case .surpassed(let reason): report(.note, "'\(name)': \(reason)")
        case .ignored(let reason): if !isOff { report(.warning, "'\(name)' has no effect: \(reason)") }
        }
        return isOff
    }

    /// A mistake in a secret is told without it: messages go into logs.
    private func text(
        of key: ConfigurationKey, _ line: ConfigurationLine, bytesMax: Int
    ) throws(LineFault) -> String {
        do throws(LineFault) { return try line.text(bytesMax: bytesMax) } catch {
            let isEmpty = ConfigurationLine.trimmed(line.rest).isEmpty
            throw key.isSecret && !isEmpty
                ? LineFault("must be UTF-8 text without control characters such as a TAB") : error
        }
    }

    /// Where a line stands about which more may be found out later: with its listener, or for all of them.
    private mutating func notePlace(of key: ConfigurationKey) {
        if key.scope == .security, !isPerListener {
            securityPlaces.note(key.name, file: file, line: line)
        } else if let index = currentListener ?? defaultListener {
            listeners[index].values.places.note(key.name, file: file, line: line)
        }
    }

    /// The listener or bridge a line is about, `nil` for the broker.
    private mutating func target(of key: ConfigurationKey, as name: String) throws(LineFault) -> Int? {
        switch key.scope {
        case .listener: return listenerIndex(for: name)
        case .bridge: return try bridgeIndex()
        case .broker:
            return nil
        case .security: return try securityTarget(as: name)
        case .listenerRequired:
            guard let currentListener else { throw LineFault("needs a 'listener' line above it") }
            return currentListener
        }
    }

    private mutating func set<Value>(_ value: Value, _ destination: ConfigurationKey.Destination<Value>, _ target: Int?)
    {
        switch destination {
        case .broker(let assign):
            assign(&configuration, value)
        case .security(let assign):
            if let target { assign(&listeners[target].security, value) } else { assign(&security, value) }
        case .listener(let assign):
            guard let target else { preconditionFailure("a listener's key was read without a listener") }
            assign(&listeners[target], value)
        case .bridge(let assign):
            guard let target else { preconditionFailure("a bridge's key was read without a bridge") }
            assign(&bridges[target], value)
        }
    }

    /// The broker (`nil`), or the listener above under `per_listener_settings true`.
    mutating func securityTarget(as name: String) throws(LineFault) -> Int? {
        hasSecuritySettings = true
        guard isPerListener else { return nil }
        guard let currentListener else {
            throw LineFault("needs a 'listener' line above it, because 'per_listener_settings' is true")
        }
        return currentListener
    }

    /// The listener above; without one the default listener, as in mosquitto.
    mutating func listenerIndex(for name: String) -> Int {
        currentListener ?? makeDefaultListener(impliedBy: name)
    }

    /// The default listener, made on first use.
    mutating func makeDefaultListener(impliedBy option: String?) -> Int {
        if let defaultListener { return defaultListener }
        var draft = ListenerDraft()
        draft.place = (file, line)
        if let option { draft.impliedBy = (option, file, line) }
        listeners.append(draft)
        defaultListener = listeners.count - 1
        return listeners.count - 1
    }

    // MARK: Remarks

    mutating func report(_ severity: Diagnostic.Severity, _ message: String) {
        report(severity, message, file: file, line: line == 0 ? nil : line)
    }

    mutating func report(_ severity: Diagnostic.Severity, _ message: String, file: String, line: Int?) {
        let diagnostic = Diagnostic(severity: severity, file: file, line: line, message: message)
        if severity == .error {
            if mayGoOn { problems.append(diagnostic) }
        } else if remarks.count < Limit.remarksMax {
            remarks.append(diagnostic)
        }
    }

    /// Text may be set once, like in mosquitto; the place of the first time is told.
    mutating func refuseRepetition(of name: String, _ target: Int?) throws(LineFault) {
        if let first = settled.updateValue("\(file):\(line)", forKey: SettledKey(name: name, target: target)) {
            throw LineFault("is set twice, first at \(first); keep one of the two")
        }
    }

    mutating func noteRepetition(of key: ConfigurationKey, _ target: Int?) {
        if let first = settled.updateValue("\(file):\(line)", forKey: SettledKey(name: key.name, target: target)) {
            report(.note, "'\(key.name)' is set again here; this value replaces the one of \(first)")
        }
    }

    /// mosquitto ignores what follows a value. So do we, but an operator who expected more should hear of it.
    mutating func noteRest(of line: ConfigurationLine) {
        let rest = ConfigurationLine.trimmed(line.rest)
        guard let first = rest.first, first != UInt8(ascii: "#") else { return }
        report(.note, "the rest of the line, \(quoted(rest)), is ignored")
    }

    private static func unknown(_ key: ArraySlice<UInt8>, _ name: String) -> LineFault {
        if key.starts(with: [0xEF, 0xBB, 0xBF]) {
            return LineFault("the file begins with a byte order mark; save it as UTF-8 without one")
        }
        // What is glued to the name of a secret is one.
        let known = key.prefix { $0 != UInt8(ascii: "\t") && $0 != UInt8(ascii: "=") }
        let isSecret = ConfigurationKey.named(String(decoding: known, as: UTF8.self))?.isSecret == true
        var fault = "unknown key \(isSecret ? quoted(known) + " and what is glued to it" : quoted(key))"
        if key.contains(UInt8(ascii: "\t")) {
            return LineFault(fault + "; a TAB does not separate a key from its value, use a space")
        }
        if key.contains(UInt8(ascii: "=")) {
            return LineFault(fault + "; write the key, a space and the value, without '='")
        }
        if let nearest = KeySuggestion.nearest(to: name) { fault += "; did you mean '\(nearest)'?" }
        return LineFault(fault)
    }
}
