import MQTTProtocol

/// What a command line may name as a topic.
enum TopicArgument {
    static func isName(_ text: String) -> Bool {
        var text = text
        return text.withUTF8 { TopicSyntax.isValidName(UnsafeRawBufferPointer($0)) }
    }

    static func isFilter(_ text: String) -> Bool {
        var text = text
        return text.withUTF8 { TopicSyntax.isValidFilter(UnsafeRawBufferPointer($0)) }
    }
}
