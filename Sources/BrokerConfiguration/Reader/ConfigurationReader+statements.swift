/// The keys whose lines have a form of their own.
extension ConfigurationReader {
    mutating func read(_ statement: ConfigurationKey.Statement, _ line: inout ConfigurationLine) throws(LineFault) {
        switch statement {
        case .listener: try readListener(&line)
        case .port: try readPort(&line)
        case .bindAddress: try readBindAddress(line)
        case .includeFolder: try readIncludeFolder(line)
        case .perListenerSettings: try readPerListenerSettings(&line)
        case .logDestination: try readLogDestination(&line)
        case .logType: try readLogType(&line)
        case .sessionExpiry: try readSessionExpiry(&line)
        case .durability: try readDurability(&line)
        case .plugin(let key): try readPlugin(key, line)
        case .pluginLoad: try readPluginLoad(&line)
        case .pluginUse: try readPluginUse(line)
        case .pluginOption(let option): try readPluginOption(option, &line)
        case .denySpecialCharacters: try readDenySpecialCharacters(&line)
        case .mountPoint: try readMountPoint(line)
        case .acceptedVersions: try readAcceptedVersions(&line)
        case .tlsVersion: try readTLSVersion(line)
        case .tlsKeyForm: try readTLSKeyForm(line)
        case .connection: try readConnection(line)
        case .bridgeAddress: try readBridgeAddress(&line)
        case .bridgeTopic: try readBridgeTopic(&line)
        case .bridgeRestart: try readBridgeRestart(&line)
        case .bridgeTCPKeepAlive: try readBridgeTCPKeepAlive(&line)
        case .bridgeNotificationTopic: try readBridgeNotificationTopic(line)
        case .bridgePSK: try readBridgePSK(line)
        case .anything: break
        }
    }

    // MARK: Files

    private mutating func readIncludeFolder(_ line: ConfigurationLine) throws(LineFault) {
        guard depth == 0 else { throw LineFault("is only possible in the main file, not in an included one") }
        let folder = try line.text()
        guard readsDisk else {
            report(.note, "'include_dir' is not followed, because this text does not come from a file")
            return
        }
        for name in try ConfigurationFile.includable(in: folder) {
            guard mayGoOn else { return }
            includedFiles += 1
            guard includedFiles <= Limit.includedFilesMax else {
                throw LineFault("leads to more than \(Limit.includedFilesMax) files; is \(folder) the right folder?")
            }
            let path = "\(folder)/\(name)"
            do {
                readIncluded(try ConfigurationFile.read(path), file: path)
            } catch {
                report(.error, error.message, file: path, line: nil)
            }
        }
    }

    // MARK: The log

    private mutating func readLogDestination(_ line: inout ConfigurationLine) throws(LineFault) {
        let expected = "must be stderr, stdout, syslog, topic, file PATH or none"
        guard let word = line.word() else { throw LineFault(expected) }
        if !hasLogDestinations {
            hasLogDestinations = true
            configuration.log.destinations = []
        }
        switch String(decoding: word, as: UTF8.self) {
        case "none":
            configuration.log.destinations = []
        case "stderr":
            addLogDestination(.standardError)
        case "stdout":
            let unbuffered = ConfigurationLine.trimmed(line.rest).elementsEqual("unbuffered".utf8)
            configuration.log.destinations.removeAll { $0 == .standardOutput(unbuffered: !unbuffered) }
            addLogDestination(.standardOutput(unbuffered: unbuffered))
        case "syslog":
            addLogDestination(.syslog)
        case "topic":
            addLogDestination(.topic)
        case "file":
            guard !ConfigurationLine.trimmed(line.rest).isEmpty else {
                throw LineFault("file needs a path: log_dest file PATH")
            }
            let path = try line.text()
            do throws(LineFault) { try refuseRepetition(of: "log_dest file", nil) } catch {
                throw LineFault("file \(error.message): there is one log file")
            }
            addLogDestination(.file(path: path))
        case "dlt":
            report(.warning, "'log_dest dlt' has no effect: Martlet does not speak to the DLT daemon; use syslog")
        default:
            throw LineFault("\(expected), not \(quoted(word))")
        }
    }

    private mutating func addLogDestination(_ destination: LogDestination) {
        if !configuration.log.destinations.contains(destination) { configuration.log.destinations.append(destination) }
    }

    private mutating func readLogType(_ line: inout ConfigurationLine) throws(LineFault) {
        let expected = "must be one of \(LogType.allCases.map(\.rawValue).joined(separator: ", ")), all or none"
        guard let word = line.word() else { throw LineFault(expected) }
        if !hasLogTypes {
            hasLogTypes = true
            configuration.log.types = []
        }
        switch String(decoding: word, as: UTF8.self) {
        case "none": configuration.log.types = []
        case "all": configuration.log.types = .all
        case let name:
            guard let type = LogType(rawValue: name) else { throw LineFault("\(expected), not \(quoted(word))") }
            configuration.log.types.insert(LogTypes(type))
        }
        noteRest(of: line)
    }

    // MARK: Durations

    private mutating func readSessionExpiry(_ line: inout ConfigurationLine) throws(LineFault) {
        let expected = "must be a number and a unit, one of s, h, d, w, m (30 days) and y (365 days), such as 14d"
        guard let word = line.word(), let unit = word.last else { throw LineFault(expected) }
        let secondsPerUnit: Int? =
            switch unit {
            case UInt8(ascii: "s"): 1
            case UInt8(ascii: "h"): 3600
            case UInt8(ascii: "d"): 86_400
            case UInt8(ascii: "w"): 7 * 86_400
            case UInt8(ascii: "m"): 30 * 86_400
            case UInt8(ascii: "y"): 365 * 86_400
            default: nil
            }
        guard let secondsPerUnit else { throw LineFault("\(expected), not \(quoted(word))") }
        let digits = word.dropLast()
        // Decimal as with atoi: a leading zero is no octal here.
        guard !digits.isEmpty, digits.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
            let count = Int(String(decoding: digits, as: UTF8.self)), (1...Int(Int32.max)).contains(count)
        else { throw LineFault("\(expected), not \(quoted(word))") }
        configuration.sessionExpirySecondsMax = count * secondsPerUnit
        noteRest(of: line)
    }
}
