import MQTTClient

#if canImport(Darwin)
import Darwin
#elseif canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// `pub`, `sub` and `rr` from their words to their exit status, under our names and mosquitto's. The story begins in `Arguments/`
/// and goes on in `Connection/`, `Publish/`, `Subscribe/`, `Request/`; `Format/` is how messages are shown.
package enum ToolProgram {
    /// - Parameters:
    ///   - words: what stands behind the program's name.
    ///   - name: what the program calls itself, as `mosquitto_pub` or `martlet pub`.
    ///   - version: ours.
    /// - Returns: the exit status.
    package static func run(_ tool: Tool, _ words: [Word], name: String, version: String) async -> Int32 {
        let help = ToolHelp(tool: tool, name: name, version: version)
        do throws(ArgumentFault) {
            switch try CommandLineReader.read(words, for: tool) {
            case .help:
                tell(help.page)
                return ExitStatus.failure.rawValue
            case .version:
                tell(help.banner)
                return ExitStatus.failure.rawValue
            case .run(let arguments): return try await run(arguments)
            }
        } catch {
            StandardError.write(error.printed)
            if error.showsHelp {
                tell(help.page)
            } else if error.namesHelp {
                StandardError.write("\nUse '\(name) --help' to see usage.\n")
            }
            return ExitStatus.failure.rawValue
        }
    }

    private static func tell(_ page: String) {
        let output = StandardOutput()
        output.write(line: page)
        output.flush()
    }

    private static func run(_ arguments: ToolArguments) async throws(ArgumentFault) -> Int32 {
        switch arguments.tool {
        case .pub:
            let topic = try topic(arguments.topics.first)
            let payload = try payload(arguments)
            return try await ToolRun(arguments).run {
                PublishConversation(arguments, topic: topic, payload: payload, loop: $0)
            }
        case .sub:
            return try await ToolRun(arguments).run { _ in
                do throws(ClientError) {
                    return try SubscribeConversation(arguments)
                } catch {
                    StandardError.say("Error: \(error)")
                    exitNow(ExitStatus.failure.rawValue)
                }
            }
        case .rr:
            let topic = try topic(arguments.topics.first)
            let responseTopic = try self.topic(arguments.responseTopic)
            let payload = try payload(arguments) ?? []
            return try await ToolRun(arguments).run { _ in
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

    /// Where there is nothing to take leave of.
    static func exitNow(_ status: Int32) -> Never { _exit(status) }
}
