import ArgumentParser
import Glibc
import MQTTTools

/// Where the process begins. The main thread starts everything else and then waits for the end, where Swift's own async `main`
/// would end that thread: glibc gives a new user to living threads only, and the process would go on showing root as its
/// owner under `user NAME`.
@main
enum Program {
    static func main() {
        holdStandardDescriptors()
        ToolCommandLine.runIfMeant()
        Task.detached {
            await Martlet.main()
            exit(EXIT_SUCCESS)
        }
        while true { pause() }  // comes back for every signal; others act on them
    }

    /// Who starts us may have closed standard input, output or error. What we open next would take their numbers, and a client
    /// would read what is meant for the terminal.
    private static func holdStandardDescriptors() {
        while true {
            let descriptor = open("/dev/null", O_RDWR)
            guard (0...STDERR_FILENO).contains(descriptor) else {
                close(descriptor)
                return
            }
        }
    }
}
