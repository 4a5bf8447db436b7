//===- DriverCommand.cpp - `boo driver` -----------------------------------===//

#include "boo/driver/DriverCommand.h"
#include "boo/base/Interrupt.h"
#include "boo/driver/Session.h"

using namespace boo;

static int usageError(const Status &status) {
  std::fprintf(stderr, "boo: error: %s\n", status.message().c_str());
  return status.code() == StatusCode::InvalidArgument ? 2 : 1;
}

/// A tab inside an argument splits it: lines of a .tsv file can be pasted.
static std::vector<std::string>
splitTabs(std::span<const std::string> arguments) {
  std::vector<std::string> tokens;
  for (const std::string &argument : arguments) {
    if (argument.find('\t') == std::string::npos) {
      tokens.push_back(argument);
      continue;
    }
    for (size_t at = 0; at <= argument.size();) {
      size_t tab = std::min(argument.find('\t', at), argument.size());
      if (tab > at)
        tokens.push_back(argument.substr(at, tab - at));
      at = tab + 1;
    }
  }
  return tokens;
}

/// Prints the help that was asked for.
static int printHelp(std::span<const std::string> tokens) {
  for (const std::string &token : tokens)
    for (const CommandInfo &info : allCommands())
      if (info.spelling == token) {
        std::fputs(commandHelp(info).c_str(), stdout);
        return 0;
      }
  std::fputs(driverHelp().c_str(), stdout);
  return 0;
}

/// --commands-file: the other tokens go behind each line of the file.
static int runCommandsFile(const std::vector<std::string> &tokens,
                           const std::vector<Occurrence> &found) {
  size_t driverTable = allFlagTables().size() - 1;
  DriverValues flags;
  std::vector<std::string> outside;
  for (const Occurrence &each : found) {
    if (each.isPositional())
      return usageError(invalidArgument(
          "'" + each.value.substr(0, 60) +
          "': a command and --commands-file exclude each other; flags given "
          "beside the file are appended to each of its lines"));
    if (each.table == driverTable)
      flags.add(each.flag, each.value);
    for (size_t i = each.begin; i != each.end; ++i)
      outside.push_back(tokens[i]);
  }
  auto lines = readCommandsFile(flags.text(DriverFlag::CommandsFile));
  if (interrupted())
    return 130; // with stdin read in part
  if (!lines.isOk())
    return usageError(
        invalidArgument("--commands-file: " + lines.status().message()));
  if (lines->empty())
    return usageError(
        invalidArgument("--commands-file: there is no command in " +
                        flags.text(DriverFlag::CommandsFile)));
  Session session;
  if (Status status = session.open(flags); !status.isOk())
    return usageError(status);
  return session.runFile(*lines, outside);
}

int boo::driverCommand(std::span<const std::string> arguments) {
  std::vector<std::string> tokens = splitTabs(arguments);
  // Errors of this first look are told by parseCommand, which knows the
  // command.
  std::vector<FlagTable> tables = allFlagTables();
  auto found = parseFlags(tokens, tables);
  bool help = tokens.empty(), file = false;
  if (found.isOk())
    for (const Occurrence &each : *found)
      if (each.table == tables.size() - 1) {
        help |= DriverFlag(each.flag) == DriverFlag::Help && each.value == "1";
        file |= DriverFlag(each.flag) == DriverFlag::CommandsFile;
      }
  if (help) {
    printHelp(tokens);
    return tokens.empty() ? 2 : 0;
  }
  SignalScope signals;
  if (file)
    return runCommandsFile(tokens, *found);

  auto line = parseCommand(tokens);
  if (!line.isOk())
    return usageError(line.status());
  Session session;
  if (Status status = session.open(line->driver); !status.isOk())
    return usageError(status);
  return session.runSingle(*line);
}
