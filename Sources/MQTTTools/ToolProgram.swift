import MQTTClient
import NIOCore

#if canImport(Darwin)
import Darwin
#elseif canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// `pub`, `sub` and `rr` from their words to their exit status, under our names and mosquitto's. The story begins in `Arguments/`
/// and goes on in `Connection/`, `Publish/`, `Subscribe/`, `Request/`; `Format/` is how messages are shown.
enum ToolProgram {
    /// Ours; the broker's is the same.
    static let version = "0.1.0"

    /// Does what the words say, on the calling thread, and ends the process.
    /// - Parameters:
    ///   - words: what stands behind the program's name.
    ///   - name: what the program calls itself, as `mosquitto_pub` or `martlet pub`.
    static func run(_ tool: Tool, _ words: [Word], name: String) -> Never {
        let help = ToolHelp(tool: tool, name: name, version: version)
        do throws(ArgumentFault) {
            switch try CommandLineReader.read(words, for: tool) {
            case .help: tell(help.page)
            case .version: tell(help.banner)
            case .run(let arguments): try run(arguments)
            }
        } catch {
            StandardError.write(error.printed)
            if error.showsHelp {
                tell(help.page)
            } else if error.namesHelp {
                StandardError.write("\nUse '\(name) --help' to see usage.\n")
            }
        }
        // mosquitto's programs say 1 to help and version, too.
        exitNow(ExitStatus.failure.rawValue)
    }

    private static func tell(_ page: String) {
        let output = StandardOutput()
        output.write(line: page)
        output.flush()
    }

    private static func run(_ arguments: ToolArguments) throws(ArgumentFault) -> Never {
        let make = try conversation(arguments)
        ToolRun.run(arguments, to: try arguments.endpoint(as: try TokenIdentity.find(for: arguments)), make)
    }

    private static func conversation(
        _ arguments: ToolArguments
    ) throws(ArgumentFault) -> (any EventLoop) -> any EndingConversation {
        switch arguments.tool {
        case .pub:
            let topic = try topic(arguments.topics.first)
            let payload = try payload(arguments)
            return { PublishConversation(arguments, topic: topic, payload: payload, loop: $0) }
        case .sub:
            do throws(ClientError) {
                let conversation = try SubscribeConversation(arguments)
                return { _ in conversation }
            } catch {
                throw ArgumentFault("Error: \(error)", namesHelp: false)
            }
        case .rr:
            let topic = try topic(arguments.topics.first)
            let responseTopic = try self.topic(arguments.responseTopic)
            let payload = try payload(arguments) ?? []
            return { _ in
                RequestConversation(arguments, topic: topic, responseTopic: responseTopic, payload: payload)
            }
        }
    }

    private static func topic(_ text: String?) throws(ArgumentFault) -> Topic {
        do throws(ClientError) { return try Topic(text ?? "") } catch { throw ArgumentFault("Error: \(error)") }
    }

    /// Nil = lines of standard input.
    private static func payload(_ arguments: ToolArguments) throws(ArgumentFault) -> [UInt8]? {
        switch arguments.payload {
        case .text(let bytes): bytes
        case .file(let path): try PayloadReader.file(path)
        case .standardInput: try PayloadReader.standardInput()
        case .empty: []
        case .lines, nil: nil
        }
    }

    /// Nothing is left to be tidied, and a thread may still wait for standard input.
    static func exitNow(_ status: Int32) -> Never {
        fflush(nil)
        _exit(status)
    }
}
