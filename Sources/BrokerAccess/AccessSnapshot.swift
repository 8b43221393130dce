package import BrokerCore

/// What the operator wrote about access for one listener.
package struct ListenerAccess: Sendable, Equatable {
    /// `ListenerSettings.name`.
    package var name: UInt32
    package var passwordFile: String?
    package var aclFile: String?
    /// The dynamic security plugin is named: it never fails open.
    package var isClosed: Bool

    package init(name: UInt32, passwordFile: String? = nil, aclFile: String? = nil, isClosed: Bool = false) {
        self.name = name
        self.passwordFile = passwordFile
        self.aclFile = aclFile
        self.isClosed = isClosed
    }
}

/// Everything that decides about access, read at one moment: never changed, only replaced as a whole. Making one touches
/// nothing that runs, so a reload tries it first and keeps the old one where it fails.
package struct AccessSnapshot: Sendable {
    /// Who checks the user names of a listener's clients.
    package enum Passwords: Sendable {
        /// Nobody: any name is taken.
        case unchecked
        case file(PasswordFile)
        /// Somebody who is not there: nobody is let in by password.
        case closed
    }

    /// By the listeners' numbers.
    package fileprivate(set) var passwords: [Passwords]
    /// Who may do what; nil = everybody everything.
    package let policy: (any AccessPolicy)?
    package let remarks: [AccessRemark]
    private let policies: ListenerPolicies

    /// Where a rule stands.
    package struct RulePlace: Equatable, Sendable {
        package let file: String
        /// From 1.
        package let line: Int
        /// As the file has it.
        package let text: String
    }

    /// The line that a reason speaks of, where it speaks of one.
    package func rulePlace(of reason: AccessReason) -> RulePlace? { policies.place(of: reason) }

    /// Reads every file once.
    package static func load(_ listeners: [ListenerAccess]) throws(AccessFileError) -> AccessSnapshot {
        var passwordFiles: [String: PasswordFile] = [:]
        var aclFiles: [ACLFile] = []
        var passwords: [Passwords] = []
        var entries: [UInt32: ListenerPolicies.Entry] = [:]
        var remarks: [AccessRemark] = []
        for listener in listeners {
            if listener.isClosed {
                passwords.append(.closed)
                entries[listener.name] = .closed
                continue
            }
            if let path = listener.passwordFile {
                if let known = passwordFiles[path] {
                    passwords.append(.file(known))
                } else {
                    let file = try PasswordFile.load(path)
                    passwordFiles[path] = file
                    remarks += file.remarks
                    passwords.append(.file(file))
                }
            } else {
                passwords.append(.unchecked)
            }
            if let path = listener.aclFile {
                var index = aclFiles.firstIndex { $0.path == path }
                if index == nil {
                    aclFiles.append(try ACLFile.load(path))
                    remarks += aclFiles[aclFiles.count - 1].remarks
                    index = aclFiles.count - 1
                }
                entries[listener.name] = .file(index ?? 0)
            } else {
                entries[listener.name] = .open
            }
        }
        let policies = ListenerPolicies(files: aclFiles, entries: entries)
        return AccessSnapshot(
            passwords: passwords, policy: policies.isOpen ? nil : policies, remarks: remarks, policies: policies)
    }
}

extension AccessSnapshot {
    /// The same, under the numbers its listeners have in a broker that runs. Numbers it does not speak of keep what `old` says,
    /// and let nobody in by password where that says nothing.
    /// - Parameters:
    ///   - numbers: of its listeners, in their order.
    ///   - count: one more than the highest number.
    package func numbered(_ numbers: [Int], of count: Int, over old: AccessSnapshot) -> AccessSnapshot {
        precondition(numbers.count == passwords.count, "a number for every listener")
        var all = Array(old.passwords.prefix(count))
        while all.count < count { all.append(.closed) }
        for (number, own) in zip(numbers, passwords) { all[number] = own }
        var snapshot = self
        snapshot.passwords = all
        return snapshot
    }
}
