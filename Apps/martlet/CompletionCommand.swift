import ArgumentParser
import MQTTTools

/// `martlet completion SHELL`: what makes a shell complete `martlet` and mosquitto's names for its parts.
struct CompletionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "completion",
        abstract: "Print a shell's completion: bash, zsh or fish.",
        discussion: """
            `make install` puts them where the shells look. By hand:

                source <(martlet completion bash)
                martlet completion zsh > "${fpath[1]}/_martlet"
                martlet completion fish > ~/.config/fish/completions/martlet.fish
            """)

    @Argument(help: "bash, zsh or fish.") var shell: Shell

    enum Shell: String, ExpressibleByArgument, CaseIterable { case bash, zsh, fish }

    func run() {
        let (own, theirs): (ToolCompletion.Shell, CompletionShell) =
            switch shell {
            case .bash: (.bash, .bash)
            case .zsh: (.zsh, .zsh)
            case .fish: (.fish, .fish)
            }
        print(ToolCompletion.script(own, wrapping: Martlet.completionScript(for: theirs)))
    }
}
