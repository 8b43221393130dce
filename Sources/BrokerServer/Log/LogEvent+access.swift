import BrokerCore
import MQTTProtocol

/// Why somebody may not come in, or may not do something: what mosquitto's log leaves people to guess.
extension LogWriter {
    static func text(_ client: MQTTString, _ userName: MQTTString?, _ refusal: LoginRefusal) -> String {
        "Login of client '\(client)'" + (userName.map { ", user '\($0)'," } ?? "")
            + " refused: \(text(refusal, userName))"
    }

    /// Why, alone.
    static func text(_ refusal: LoginRefusal, _ userName: MQTTString?) -> String {
        switch refusal {
        case .anonymous where userName != nil:
            "there is no password_file to know it by, and nobody else is let in (allow_anonymous false)."
        case .anonymous: "it gave no user name, and this listener lets nobody in without (allow_anonymous false)."
        case .wrongPassword: "no such user, or another password."
        case .noIdentity:
            "it showed no certificate with a name to be its user name (use_identity_as_username, "
                + "use_subject_as_username; a client is asked for one by require_certificate)."
        case .noUserName: "it gave no user name to take as its identifier (use_username_as_clientid)."
        case .clientIdentifierPrefix: "its identifier does not begin with clientid_prefixes."
        case .keepAlive:
            "its keep-alive is longer than max_keepalive, or 0 for none, and MQTT 3.1 and 3.1.1 have no way to tell it."
        case .busy: "too many logins wait to be checked."
        case .closed: "passwords would be dynamic security's to check, and that is not running."
        }
    }

    static func text(_ action: AccessAction, _ subject: AccessSubject, _ topic: [UInt8], _ why: String) -> String {
        let verb =
            switch action {
            case .publish: "publish to"
            case .receive: "receive"
            case .subscribe: "subscribe to"
            case .unsubscribe: "unsubscribe from"
            }
        let user = subject.userName.map { "user '\($0)'" } ?? "anonymous"
        let name = MQTTString(topic)?.description ?? ""
        return "Client '\(subject.clientIdentifier)' (\(user)) may not \(verb) '\(name)': \(why)."
    }

    static func text(_ reason: Dismissal) -> String {
        switch reason {
        case .anonymous:
            "it gave no user name, and its listener lets nobody in without any more (allow_anonymous false)"
        case .userGone: "its user is not in the password file any more"
        case .password: "its user's password is another now"
        case .clientIdentifierPrefix: "its identifier does not begin with clientid_prefixes"
        case .version: "its listener does not take its protocol version any more (accept_protocol_versions)"
        case .listener: "its listener has been removed or changed"
        case .proof(let why): why
        }
    }
}
