import BrokerAccess
import BrokerServer
import Foundation
import MQTTProtocol

/// An explanation as a person reads it, and as a program does.
struct ExplainText {
    private let question: AccessExplanation.Question
    private let answer: AccessExplanation

    init(_ question: AccessExplanation.Question, _ answer: AccessExplanation) {
        self.question = question
        self.answer = answer
    }

    private var deed: String { question.deed.rawValue }

    // MARK: For people

    var plain: String {
        let mounted = answer.topic == question.topic ? "" : " (behind the mount point: \(answer.topic))"
        return """
            \(verdict(answer.isAllowed)): \(who) at \(answer.listener), \(deed) \(question.topic)\(mounted)
              login: \(word(answer.login))
              \(deed): \(word(answer.decision))
            """
    }

    private var who: String {
        let user = question.userName.map { "user '\($0)'" } ?? "an anonymous client"
        return question.clientIdentifier.map { "\(user) as client '\($0)'" } ?? user
    }

    private func verdict(_ isAllowed: Bool) -> String {
        isAllowed ? Terminal.green("allowed") : Terminal.red("denied")
    }

    private func word(_ answer: AccessExplanation.Answer) -> String {
        "\(answer.isAllowed ? "allowed" : "denied"): \(answer.reason)"
    }

    // MARK: For programs

    private struct Document: Encodable {
        struct Answer: Encodable {
            let allowed: Bool
            let reason: String
            let file: String?
            let line: Int?
            let rule: String?

            init(_ answer: AccessExplanation.Answer) {
                allowed = answer.isAllowed
                reason = answer.reason
                file = answer.rule?.file
                line = answer.rule?.line
                rule = answer.rule?.text
            }
        }

        let allowed: Bool
        let listener: String
        let user: String?
        let client: String?
        let deed: String
        let topic: String
        /// Behind the mount point.
        let wholeTopic: String
        let login: Answer
        let decision: Answer
    }

    func json() throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        let document = Document(
            allowed: answer.isAllowed, listener: answer.listener, user: question.userName?.description,
            client: question.clientIdentifier?.description, deed: deed, topic: question.topic.description,
            wholeTopic: answer.topic.description, login: .init(answer.login), decision: .init(answer.decision))
        return String(decoding: try encoder.encode(document), as: UTF8.self)
    }
}
