//===- BooCommand.cpp - Chooses the subcommand ----------------------------===//

#include "boo/driver/BooCommand.h"
#include "boo/driver/CacheCommand.h"
#include "boo/driver/CompareCommand.h"
#include "boo/driver/CompletionCommand.h"
#include "boo/driver/DevicesCommand.h"
#include "boo/driver/DriverCommand.h"
#include "boo/driver/GenerateCommand.h"
#include "boo/driver/NumericsCommand.h"
#include "boo/driver/PreloadCommand.h"
#include "boo/driver/VersionCommand.h"
#include "boo/driver/commands/Nearest.h"
#include "boo/driver/tune/TuneCommand.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

using namespace boo;

static int helpCommand(std::span<const std::string> arguments);
static int completion(std::span<const std::string> arguments);

namespace {
struct Subcommand {
  std::string_view name;
  int (*run)(std::span<const std::string>);
  const char *what; ///< NULL: another name of the one before
};
} // namespace

static constexpr Subcommand Subcommands[] = {
    {"driver", driverCommand,
     "compile, run, time and verify one operation, or a file of them"},
    {"preload", preloadCommand, "compile a list of operations into the cache"},
    {"numerics", numericsCommand, "errors of a list of operations, judged"},
    {"tune", tuneCommand,
     "faster Schedules for a list of operations, measured"},
    {"generate", generateCommand, "the MLIR of a list of operations"},
    {"cache", cacheCommand,
     "list, check, trim, copy or clear the kernel cache"},
    {"compare", compareCommand,
     "compare the times of two tables; fail when some are worse"},
    {"completion", completion, "print a script for bash or zsh"},
    {"devices", devicesCommand,
     "what this machine offers: CPU features, threads, cache, compiler"},
    {"doctor", devicesCommand, nullptr},
    {"version", versionCommand, "versions of BOO and of its interfaces"},
    {"help", helpCommand, "this text, or that of a subcommand"},
};

static const Subcommand *findSubcommand(std::string_view name) {
  for (const Subcommand &each : Subcommands)
    if (each.name == name)
      return &each;
  return nullptr;
}

static int completion(std::span<const std::string> arguments) {
  std::vector<std::string> names;
  for (const Subcommand &each : Subcommands)
    names.emplace_back(each.name);
  return completionCommand(arguments, names);
}

static int unknown(const std::string &name) {
  std::vector<std::string_view> names;
  for (const Subcommand &each : Subcommands)
    names.push_back(each.name);
  std::fprintf(stderr, "boo: error: there is no subcommand '%s'%s\n",
               name.substr(0, 60).c_str(), didYouMean(name, names).c_str());
  std::fputs("boo help lists them all\n", stderr);
  return 2;
}

static int helpCommand(std::span<const std::string> arguments) {
  if (!arguments.empty()) {
    const Subcommand *about = findSubcommand(arguments.front());
    if (!about)
      return unknown(arguments.front());
    if (about->run != helpCommand && about->run != versionCommand) {
      std::vector<std::string> rest(arguments.begin() + 1, arguments.end());
      rest.push_back("--help");
      return about->run(rest);
    }
  }
  std::fputs("boo - Bag of Ops: operations compiled to standalone kernels, "
             "cached and launched\n\nUsage: boo SUBCOMMAND …\n\n",
             stdout);
  for (const Subcommand &each : Subcommands)
    if (each.what)
      std::printf("  %-12s%s\n", std::string(each.name).c_str(), each.what);
  std::fputs("\nExample:\n"
             "  boo driver conv -n 1 -c 64 -H 56 -W 56 -k 64 -y 3 -x 3 -p 1 "
             "-q 1 -t 1 --verify\n\n"
             "boo SUBCOMMAND --help tells more.\n",
             stdout);
  return 0;
}

int boo::booCommand(const std::vector<std::string> &arguments) {
  if (arguments.empty()) {
    helpCommand({});
    return 2;
  }
  std::string name = arguments.front();
  if (name == "-h" || name == "--help")
    name = "help";
  if (name == "--version")
    name = "version";
  const Subcommand *subcommand = findSubcommand(name);
  if (!subcommand)
    return unknown(name);
  int status = subcommand->run(std::span(arguments).subspan(1));
  // Results that a full disk has lost are a failure, whatever came before.
  if (std::fflush(stdout) == 0 && !std::ferror(stdout))
    return status;
  std::fprintf(stderr, "boo: error: stdout: %s\n", std::strerror(errno));
  return status ? status : 1;
}
