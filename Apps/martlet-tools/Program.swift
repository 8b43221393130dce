import MQTTTools

/// `pub`, `sub` and `rr` in a small program: whoever calls it by another name or word gets the whole of Martlet, which has
/// them too, but takes longer to start (Docs/decisions/0022-a-small-program.md).
@main
enum Program {
    static func main() {
        ToolCommandLine.runIfMeant()
        WholeProgram.become()
    }
}
