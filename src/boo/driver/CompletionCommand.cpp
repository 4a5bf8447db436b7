//===- CompletionCommand.cpp - `boo completion` ---------------------------===//

#include "boo/driver/CompletionCommand.h"
#include "boo/driver/Backend.h"
#include "boo/driver/commands/Command.h"
#include "boo/driver/commands/Nearest.h"

#include <cstdio>

using namespace boo;

/// A word list for `case` branches: each with a blank behind it.
static std::string flagWords(FlagTable table) {
  std::string words;
  for (const Flag &flag : table)
    words += "--" + std::string(flag.name) + " ";
  return words;
}

/// A branch of `case` that leaves the words of `flags` in $words.
static std::string branch(const std::string &pattern,
                          const std::string &words) {
  return "    " + pattern + ") words='" + words + "' ;;\n";
}

/// One function for both shells: zsh runs it by bashcompinit.
static const char kHead[] = R"(_boo() {
  if [ -n "${BASH_VERSION-}" ]; then
    # Words as the shell sees them: readline cuts names such as aten::mm.
    local line=${COMP_LINE:0:COMP_POINT} COMP_CWORD
    local -a COMP_WORDS
    read -ra COMP_WORDS <<<"$line"
    [[ $line != *' ' ]] || COMP_WORDS+=('')
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
  fi
  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}
  local words='' command='' i
  COMPREPLY=()
)";

static const char kTail[] = R"(  # No word that fits: names of files.
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
  if [[ $cur == *:* && ${COMP_WORDBREAKS-} == *:* ]]; then
    cur=${cur%"${cur##*:}"}
    COMPREPLY=("${COMPREPLY[@]#"$cur"}")
  fi
}
complete -o default -o bashdefault -F _boo boo
)";

/// Values of the driver's flags that come from a list.
static std::string valueBranches() {
  std::string backends;
  for (const std::string &name : backendNames())
    backends += name + " ";
  return "  case $prev in\n" + branch("--backend", backends) +
         branch("--target", "host generic avx2 avx512 amx") +
         branch("--math", "strict default fast") + "  esac\n";
}

/// Behind `boo driver`: commands and the driver's flags; behind a command also
/// its own.
static std::string driverBranches() {
  std::string commands, branches;
  for (const CommandInfo &info : allCommands()) {
    commands += std::string(info.spelling) + " ";
    branches +=
        branch(std::string(info.spelling), flagWords(commandFlagTable(info)));
  }
  return "    for ((i = 2; i < COMP_CWORD; i++)); do\n"
         "      case ' " +
         commands +
         "' in *\" ${COMP_WORDS[i]} \"*) command=${COMP_WORDS[i]} ;; esac\n"
         "    done\n"
         "    case $command in\n" +
         branches + branch("*", commands) +
         "    esac\n"
         "    case $cur in -*) words=\"$words " +
         flagWords(driverFlagTable()) + "\" ;; esac\n";
}

std::string boo::completionScript(std::string_view shell,
                                  const std::vector<std::string> &subcommands) {
  std::string names;
  for (const std::string &name : subcommands)
    names += name + " ";
  std::string script = "# Completion of boo for " + std::string(shell) +
                       ", made by `boo completion`.\n";
  if (shell == "zsh")
    script += "autoload -Uz bashcompinit && bashcompinit\n";
  return script + kHead + valueBranches() +
         "  if [ -n \"$words\" ]; then :\n"
         "  elif [ \"$COMP_CWORD\" -eq 1 ]; then words='" +
         names +
         "--help --version'\n"
         "  elif [ \"${COMP_WORDS[1]}\" = help ]; then words='" +
         names +
         "'\n"
         "  elif [ \"${COMP_WORDS[1]}\" = driver ]; then\n" +
         driverBranches() + "  fi\n" + kTail;
}

int boo::completionCommand(std::span<const std::string> arguments,
                           const std::vector<std::string> &subcommands) {
  static constexpr std::string_view shells[] = {"bash", "zsh"};
  bool help = arguments.size() == 1 &&
              (arguments[0] == "--help" || arguments[0] == "-h");
  std::string name = arguments.empty() ? "" : arguments.front();
  if (arguments.size() == 1 && (name == "bash" || name == "zsh")) {
    std::fputs(completionScript(name, subcommands).c_str(), stdout);
    return 0;
  }
  if (!help && !name.empty())
    std::fprintf(stderr, "boo: error: no completion for '%s'%s\n",
                 name.substr(0, 60).c_str(), didYouMean(name, shells).c_str());
  std::fputs("Usage: boo completion bash|zsh\n\nPrints a script that completes "
             "boo's subcommands, commands and flags. For\nthis shell:\n"
             "  eval \"$(boo completion bash)\"\n",
             help ? stdout : stderr);
  return help ? 0 : 2;
}
