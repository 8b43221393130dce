/// Lines about mosquitto's plugins. Martlet loads no shared objects: what mosquitto's own plugins do it does itself, under the
/// same lines; a plugin it does not know might decide who may come in, so such a line stops the start.
extension ConfigurationReader {
    /// `plugin PATH`, `auth_plugin PATH`, for the broker or the listener above; `global_plugin PATH` for every listener.
    mutating func readPlugin(_ key: String, _ line: ConfigurationLine) throws(LineFault) {
        let listener = key == "global_plugin" ? nil : try securityTarget(as: key)
        try addPlugin(key, try line.text(), key == "global_plugin" ? .everywhere : .scope(listener))
    }

    /// `plugin_load NAME PATH`: known from here on, used where a listener says `plugin_use NAME`.
    mutating func readPluginLoad(_ line: inout ConfigurationLine) throws(LineFault) {
        guard let name = line.word() else { throw LineFault("needs a name and a path: plugin_load NAME PATH") }
        let text = try ConfigurationLine.utf8(name)
        guard !plugins.contains(where: { $0.place.name == text }) else {
            throw LineFault("loads a second plugin called \(quoted(name)); give it another name")
        }
        try addPlugin("plugin_load", try line.text(), .loaded(name: text, listeners: []))
    }

    mutating func readPluginUse(_ line: ConfigurationLine) throws(LineFault) {
        guard let currentListener else { throw LineFault("needs a 'listener' line above it") }
        let name = try line.text()
        guard let index = plugins.firstIndex(where: { $0.place.name == name }) else {
            throw LineFault(
                "names a plugin that no 'plugin_load' line above it has loaded: \(quoted(Array(name.utf8)[...]))")
        }
        plugins[index].place.add(currentListener)
    }

    /// `plugin_opt_KEY VALUE`, or the older `auth_opt_KEY VALUE`, of the plugin above.
    mutating func readPluginOption(_ option: String, _ line: inout ConfigurationLine) throws(LineFault) {
        guard let currentPlugin else {
            throw LineFault("needs a 'plugin' line above it, whose option it is")
        }
        let kind = plugins[currentPlugin].kind
        guard kind != .foreign else { return }  // the plugin's own line is the mistake
        guard kind.options.contains(option) else {
            let known = kind.options.sorted().map { "plugin_opt_\($0)" }.joined(separator: ", ")
            throw LineFault("is no option of the plugin above" + (known.isEmpty ? "" : ", which has \(known)"))
        }
        let key = "plugin_opt_\(option) of plugin \(currentPlugin)"
        switch option {
        case "flush_period", "page_size":
            plugins[currentPlugin].options[option] = String(try line.integer(in: 0...Int(Int32.max)))
            noteRest(of: line)
        case "sync":
            plugins[currentPlugin].options[option] = try line.choice(of: ["off", "normal", "full", "extra"])
            noteRest(of: line)
        default:
            let value = try line.text()
            try refuseRepetition(of: key, nil)
            plugins[currentPlugin].options[option] = value
        }
    }

    /// What follows `auth_plugin_deny_special_chars`.
    mutating func readDenySpecialCharacters(_ line: inout ConfigurationLine) throws(LineFault) {
        guard currentPlugin != nil else { throw LineFault("needs a 'plugin' line above it, whose option it is") }
        if try !line.flag() {
            report(
                .warning,
                "'auth_plugin_deny_special_chars false' has no effect: user names and client identifiers with + or # are "
                    + "never put into a pattern")
        }
        noteRest(of: line)
    }

    private mutating func addPlugin(_ key: String, _ path: String, _ place: PluginDraft.Place) throws(LineFault) {
        guard plugins.count < Limit.pluginsMax else {
            throw LineFault("is one too many: at most \(Limit.pluginsMax) plugins are possible")
        }
        let kind = PluginDraft.Kind(path: path)
        plugins.append(PluginDraft(key: key, kind: kind, place: place, file: file, line: self.line))
        currentPlugin = plugins.count - 1
        switch kind {
        case .persistSQLite:
            report(
                .note,
                "mosquitto's SQLite plugin is not loaded: Martlet's own store does its work, as 'persistence true' does"
            )
        case .aclFile, .passwordFile:
            report(.note, "mosquitto's plugin is not loaded: Martlet does its work itself")
        case .dynamicSecurity:
            report(
                .warning,
                "the roles of mosquitto's dynamic security plugin are not read by this version: until they are, clients "
                    + "whose certificate names them may connect, and every password, publish and subscription is refused"
            )
        case .sparkplug:
            report(
                .warning,
                "mosquitto's sparkplug-aware plugin has no effect: certificates are not published again below $sparkplug"
            )
        case .foreign:
            throw LineFault(
                "\(path): Martlet loads no shared objects, and does not know what this one would do; if it decides who may "
                    + "come in, stay with mosquitto for it, else remove the line and its options")
        }
    }

    // MARK: When all lines are read

    /// Puts what the plugins' lines say where the keys without plugins put it.
    mutating func settlePlugins() {
        for plugin in plugins where mayGoOn {
            let drafts: [Int?]
            switch plugin.place {
            case .everywhere: drafts = [nil]
            case .scope(let listener): drafts = [listener]
            case .loaded(let name, let listeners):
                if listeners.isEmpty {
                    report(
                        .warning,
                        "the plugin \(name) is loaded and used by no listener; write 'plugin_use \(name)' below one",
                        file: plugin.file, line: plugin.line)
                }
                drafts = listeners
            }
            settle(plugin, drafts)
        }
        for draft in listeners where mayGoOn {
            // A listener's own file would put the one that is meant for every listener aside.
            guard
                security.aclFile != nil && draft.security.aclFile != nil
                    || security.passwordFile != nil && draft.security.passwordFile != nil
                    || security.dynamicSecurity != nil && draft.security.dynamicSecurity != nil
            else { continue }
            report(
                .error,
                "the listener has a file of its own for what a plugin of all listeners does; keep one of the two",
                file: draft.place?.file ?? file, line: draft.place?.line)
        }
    }

    private mutating func settle(_ plugin: PluginDraft, _ drafts: [Int?]) {
        func needs(_ option: String) -> String? {
            if let value = plugin.options[option] { return value }
            report(
                .error, "'\(plugin.key)' needs 'plugin_opt_\(option) PATH' below it", file: plugin.file,
                line: plugin.line)
            return nil
        }
        switch plugin.kind {
        case .persistSQLite:
            configuration.persistence.isOn = true
            guard let path = plugin.options["db_file"] else { return }
            guard let slash = path.lastIndex(of: "/") else { return configuration.persistence.location = "." }
            configuration.persistence.location = slash == path.startIndex ? "/" : String(path[..<slash])
        case .aclFile:
            guard let path = needs("acl_file") else { return }
            for draft in drafts { assign(path, \.aclFile, draft, plugin) }
        case .passwordFile:
            guard let path = needs("password_file") else { return }
            for draft in drafts { assign(path, \.passwordFile, draft, plugin) }
        case .dynamicSecurity:
            guard let path = needs("config_file") else { return }
            let value = DynamicSecurityConfiguration(
                file: path, passwordInitFile: plugin.options["password_init_file"])
            for draft in drafts { assign(value, \.dynamicSecurity, draft, plugin) }
        case .sparkplug, .foreign: break
        }
    }

    private mutating func assign<Value>(
        _ value: Value, _ field: WritableKeyPath<SecurityDraft, Value?>, _ draft: Int?, _ plugin: PluginDraft
    ) {
        let old = draft.map { listeners[$0].security[keyPath: field] } ?? security[keyPath: field]
        guard old == nil else {
            return report(
                .error, "'\(plugin.key)' is for what another line gives already; keep one of the two",
                file: plugin.file,
                line: plugin.line)
        }
        if let draft { listeners[draft].security[keyPath: field] = value } else { security[keyPath: field] = value }
    }
}

/// A plugin line and the options below it.
struct PluginDraft {
    /// What the shared object does, told by its name.
    enum Kind {
        case persistSQLite, aclFile, passwordFile, dynamicSecurity, sparkplug, foreign

        init(path: String) {
            let file = (path.split(separator: "/").last.map(String.init) ?? path).map { $0 == "-" ? "_" : $0 }
            let name = String(file).lowercased()
            self =
                if name.contains("persist_sqlite") {
                    .persistSQLite
                } else if name.contains("dynamic_security") {
                    .dynamicSecurity
                } else if name.contains("acl_file") {
                    .aclFile
                } else if name.contains("password_file") {
                    .passwordFile
                } else if name.contains("sparkplug_aware") {
                    .sparkplug
                } else {
                    .foreign
                }
        }

        /// Names behind `plugin_opt_`.
        var options: Set<String> {
            switch self {
            case .persistSQLite: ["db_file", "flush_period", "page_size", "sync"]
            case .aclFile: ["acl_file"]
            case .passwordFile: ["password_file"]
            case .dynamicSecurity: ["config_file", "password_init_file"]
            case .sparkplug, .foreign: []
            }
        }
    }

    /// Whom it is for.
    enum Place {
        /// The broker (`nil`), or one listener under `per_listener_settings true`.
        case scope(Int?)
        case everywhere
        case loaded(name: String, listeners: [Int])

        var name: String? {
            guard case .loaded(let name, _) = self else { return nil }
            return name
        }

        mutating func add(_ listener: Int) {
            guard case .loaded(let name, var listeners) = self, !listeners.contains(listener) else { return }
            listeners.append(listener)
            self = .loaded(name: name, listeners: listeners)
        }
    }

    /// The key of its line.
    let key: String
    let kind: Kind
    var place: Place
    let file: String
    let line: Int
    /// Value by the name behind `plugin_opt_`.
    var options: [String: String] = [:]
}
