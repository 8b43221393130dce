import ArgumentParser
import BrokerAccess
import BrokerConfiguration
import BrokerServer
import Certificates
import ConfigurationLint
import Foundation

/// `martlet config check`: what becomes of every line, who may come in, and what an operator should be told.
struct ConfigCheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Say what becomes of every line of a configuration, and what is risky about it.",
        discussion: """
            Reads FILE and what it includes as the broker would, and changes nothing. Lines are honoured, deprecated (honoured;
            says what to write instead), surpassed (Martlet does more in any case), ignored (says why) or refused (this version
            would not start with them). Advice has names, such as anonymous-on-network, for scripts to look for.

            Exit status: 0 a broker would start with it, 3 it would not; with --strict 1 where there is a warning.

            Example:    martlet config check /etc/mosquitto/mosquitto.conf
            """)

    @Argument(help: "The configuration file.")
    var file: String

    @Flag(name: .customLong("json"), help: "Print one JSON document.")
    var isJSON = false

    @Flag(name: .customLong("strict"), help: "Exit with 1 where there are warnings, for use in scripts.")
    var isStrict = false

    @Flag(name: [.customShort("q"), .customLong("quiet")], help: "Leave out the lines that are honoured.")
    var isQuiet = false

    func run() throws {
        var report = ConfigurationReport(file: file)
        // A key whose passphrase only its operator knows cannot be tried here.
        if let configuration = report.configuration, Broker.keysWithoutPassphrase(configuration).isEmpty {
            report = report.adding(Broker.transportProblems(configuration))
        }
        if let configuration = report.configuration { report = report.adding(Self.accessProblems(configuration)) }
        let findings = ConfigurationLint.findings(report, surroundings: .machine)
        if isJSON {
            print(try ConfigCheckDocument(file, report, findings).text())
        } else {
            print(
                ConfigCheckText(file: file, report: report, findings: findings, leavesOutHonoured: isQuiet).text,
                terminator: "")
        }
        guard report.canStart else { throw ExitCode(3) }
        let warnings = (report.remarks + findings.map(\.remark)).contains { $0.severity == .warning }
        if isStrict, warnings { throw ExitCode(1) }
    }

    /// What of password and ACL files would stop a start. That who looks now may not read a file is a warning: the broker may
    /// be somebody else.
    private static func accessProblems(_ configuration: BrokerConfiguration) -> [Diagnostic] {
        do throws(AccessFileError) {
            _ = try Broker.loadAccess(configuration)
            return []
        } catch {
            let isHidden = access(error.file, R_OK) != 0 && errno == EACCES
            return [Broker.diagnostic(for: error, in: configuration, isHidden ? .warning : .error)]
        }
    }
}

extension ConfigurationSurroundings {
    /// This machine's files and clock.
    static var machine: ConfigurationSurroundings {
        ConfigurationSurroundings(now: Timestamp(seconds: Int64(Date().timeIntervalSince1970))) { path in
            do {
                let handle = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
                defer { try? handle.close() }
                // As much as a large list of revoked certificates has, and no more.
                return .success(Array(try handle.read(upToCount: CertificateRevocationList.bytesMax * 2) ?? Data()))
            } catch {
                return .failure(Unreadable("cannot be read: \((error as NSError).localizedDescription)"))
            }
        }
    }
}
