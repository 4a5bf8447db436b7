//===- CommandFuzz.cpp - Any bytes as a command and as a file of them -----===//
//
// A command that is accepted gives a Graph that verifies, under a name of safe
// bytes; tokens come back from the line that they are joined to. `graph FILE`
// is left out: it would read whatever file the bytes name.
//
//===----------------------------------------------------------------------===//

#include "boo/driver/commands/Command.h"
#include "boo/driver/commands/CommandText.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>

using namespace boo;

static void require(bool holds, const char *what) {
  if (holds)
    return;
  std::fprintf(stderr, "CommandFuzz: %s\n", what);
  std::abort();
}

static void tryLaunch(const CommandLine &line) {
  auto command = buildCommand(line);
  if (!command.isOk())
    return;
  require(command->graph.verify().isOk(), "a command's Graph does not verify");
  require(command->outputSizes.size() == command->graph.outputs().size(),
          "an output has no sizes");
  // What a file name may hold everywhere: transA, alpha1e+06.
  for (char c : command->name)
    require((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                (c >= '0' && c <= '9') || std::strchr("_.+-", c),
            "a name has an unsafe byte");
}

static void tryCommand(const std::vector<std::string> &tokens, bool inFile) {
  auto again = splitCommand(joinCommand(tokens));
  require(again.isOk() && *again == tokens, "tokens do not come back");
  auto line = parseCommand(tokens, {}, inFile);
  if (!line.isOk() || line->info->family == FamilyId::Graph)
    return;
  auto launches = separateLaunches(*line);
  require(launches.isOk(), "a command's launches cannot be told apart");
  for (const CommandLine &launch : *launches)
    tryLaunch(launch);
  tryLaunch(*line);
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  std::string text(reinterpret_cast<const char *>(data), size);
  if (auto tokens = splitCommand(text); tokens.isOk())
    tryCommand(*tokens, false);
  // Most bytes are one line without a tab, which was tried just now.
  for (bool tabs : {false, true})
    if (text.find(tabs ? '\t' : '\n') != text.npos)
      for (const FileLine &line : splitCommandsFile(text, tabs))
        if (line.status.isOk())
          tryCommand(line.tokens, true);
  return 0;
}
