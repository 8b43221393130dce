/// What a shell offers behind `mosquitto_pub`, `martlet pub` and their like, made from the table of options. The rest of `martlet` is
/// completed by what swift-argument-parser writes, which these scripts wrap.
package enum ToolCompletion {
    package enum Shell: String, Sendable, CaseIterable {
        case bash, zsh, fish
    }

    /// - Parameter rest: the script for all of `martlet` but these tools, in the same shell.
    package static func script(_ shell: Shell, wrapping rest: String) -> String {
        switch shell {
        case .bash: bash(rest)
        case .zsh: zsh(rest)
        case .fish: fish(rest)
        }
    }

    /// Names behind which a file is to be named.
    static func files(_ tool: Tool) -> [String] {
        options(tool).filter { ["file", "directory", "socket path"].contains($0.wants) }.flatMap(\.names)
    }

    static func names(_ tool: Tool) -> [String] { options(tool).flatMap(\.names) + ["--help", "--version"] }

    private static func options(_ tool: Tool) -> [ToolOption] {
        OptionTable.all.filter { $0.tools.contains(Tools(tool)) }
    }

    // MARK: Shells

    private static func bash(_ rest: String) -> String {
        var script =
            rest
            + "\n_martlet_tool() {\n    local tool=$1 word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}\n"
        script += "    case $tool in\n"
        for tool in Tool.allCases {
            script += "    \(tool)) local files=' \(files(tool).joined(separator: " ")) '"
            script += " names='\(names(tool).joined(separator: " "))' ;;\n"
        }
        script += """
                esac
                if [[ $files == *" $before "* ]]; then
                    COMPREPLY=($(compgen -f -- "$word"))
                elif [[ $word == -* || -z $word ]]; then
                    COMPREPLY=($(compgen -W "$names" -- "$word"))
                fi
            }
            _martlet_any() {
                case ${COMP_WORDS[1]:-} in
                pub | sub | rr) ((COMP_CWORD > 1)) && { _martlet_tool "${COMP_WORDS[1]}"; return; } ;;
                esac
                _martlet "$@"
            }
            complete -o filenames -F _martlet_any martlet

            """
        for tool in Tool.allCases {
            script += "_\(tool.mosquittoName)() { _martlet_tool \(tool); }\n"
            script += "complete -o filenames -F _\(tool.mosquittoName) \(tool.mosquittoName)\n"
        }
        return script
    }

    private static func zsh(_ rest: String) -> String {
        // zsh loads the file as the function _martlet, and calls that name from then on: it must be ours, and decide.
        let compdef = "#compdef martlet " + Tool.allCases.map(\.mosquittoName).joined(separator: " ")
        let lines = rest.split(separator: "\n", omittingEmptySubsequences: false)
        let end = lines.lastIndex { $0.hasPrefix("if [[ \"${funcstack[1]}\"") } ?? lines.endIndex
        let body = lines[..<end].filter { !$0.hasPrefix("#compdef") }
            .map { $0 == "_martlet() {" ? "_martlet_rest() {" : $0 }
            .joined(separator: "\n")
        var script =
            compdef + "\n" + body
            + "\n_martlet_tool() {\n    local files names before=${words[CURRENT-1]}\n    case $1 in\n"
        for tool in Tool.allCases {
            script += "    \(tool)) files=(\(files(tool).joined(separator: " ")))"
            script += " names=(\(names(tool).joined(separator: " "))) ;;\n"
        }
        script += """
                esac
                if (( ${files[(Ie)$before]} )); then _files; else compadd -- $names; fi
            }
            _martlet() {
                case ${words[1]:t} in
                mosquitto_pub) _martlet_tool pub; return ;;
                mosquitto_sub) _martlet_tool sub; return ;;
                mosquitto_rr) _martlet_tool rr; return ;;
                esac
                case ${words[2]:-} in
                pub | sub | rr) if (( CURRENT > 2 )); then _martlet_tool ${words[2]}; return; fi ;;
                esac
                _martlet_rest "$@"
            }
            _martlet "$@"

            """
        return script
    }

    private static func fish(_ rest: String) -> String {
        var script = rest + "\n"
        for tool in Tool.allCases {
            for option in options(tool) {
                let names = option.names.map { $0.hasPrefix("--") ? "-l \($0.dropFirst(2))" : "-s \($0.dropFirst())" }
                let takes = option.wants == nil ? "" : files(tool).contains(option.names[0]) ? " -rF" : " -x"
                let words = names.joined(separator: " ") + takes
                script += "complete -c \(tool.mosquittoName) \(words)\n"
                script += "complete -c martlet -n '__fish_seen_subcommand_from \(tool)' \(words)\n"
            }
        }
        return script
    }
}
