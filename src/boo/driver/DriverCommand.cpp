//===- DriverCommand.cpp - `boo driver` -----------------------------------===//

#include "boo/driver/DriverCommand.h"
#include "boo/base/Interrupt.h"
#include "boo/driver/FileRun.h"
#include "boo/driver/commands/CommandText.h"

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

/// The tables of a first look: a family's, and the driver's.
static constexpr size_t kDriverTable = 1;

/// Finds all flags without knowing the command, or that there is one: as that
/// family reads them which understands them all. What a letter means there is
/// no matter here, only whether a value follows.
static StatusOr<std::vector<Occurrence>>
findFlags(std::span<const std::string> tokens) {
  StatusOr<std::vector<Occurrence>> found = std::vector<Occurrence>();
  for (FlagTable family : familyFlagTables()) {
    FlagTable tables[] = {family, driverFlagTable()};
    found = parseFlags(tokens, tables);
    if (found.isOk())
      break;
  }
  return found;
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

/// Whether results depend on a flag that stands beside a commands file.
static bool bearsOnResults(const Occurrence &each) {
  if (each.table != kDriverTable)
    return true;
  return driverFlagTable()[each.flag].scope == FlagScope::Line &&
         DriverFlag(each.flag) != DriverFlag::Timeout;
}

static ParsedLine parseLine(const FileLine &from,
                            std::span<const std::string> outside) {
  ParsedLine line;
  line.where = "line " + std::to_string(from.number);
  line.text = from.status.isOk() ? joinCommand(from.tokens) : from.text;
  line.status = from.status;
  if (!from.status.isOk())
    return line;
  auto command = parseCommand(from.tokens, outside, true);
  line.status = command.status();
  if (command.isOk())
    line.line = std::move(*command);
  return line;
}

/// Adds the launches that a line asks for as lines of their own.
static void addLaunches(ParsedLine line, std::vector<ParsedLine> *lines) {
  auto launches = line.line ? separateLaunches(*line.line)
                            : StatusOr<std::vector<CommandLine>>(line.status);
  if (!launches.isOk()) {
    line.status = launches.status();
    line.line.reset();
    lines->push_back(std::move(line));
    return;
  }
  std::string whole = line.line->command;
  for (const CommandLine &launch : *launches) {
    if (launch.command != whole)
      line.text = launch.command;
    line.line = launch;
    lines->push_back(line);
  }
}

/// --commands-file: the other tokens go behind each line of the file.
static int runCommandsFile(const std::vector<std::string> &tokens,
                           const std::vector<Occurrence> &found) {
  DriverValues flags;
  std::vector<std::string> outside, bearing;
  for (const Occurrence &each : found) {
    if (each.isPositional())
      return usageError(invalidArgument(
          "'" + each.value.substr(0, 60) +
          "': a command and --commands-file exclude each other; flags given "
          "beside the file are appended to each of its lines"));
    if (each.table == kDriverTable)
      flags.add(each.flag, each.value);
    for (size_t i = each.begin; i != each.end; ++i) {
      outside.push_back(tokens[i]);
      if (bearsOnResults(each))
        bearing.push_back(tokens[i]);
    }
  }
  std::string path = flags.text(DriverFlag::CommandsFile);
  auto lines = readCommandsFile(path);
  if (interrupted())
    return 130; // with stdin read in part
  if (!lines.isOk())
    return usageError(
        invalidArgument("--commands-file: " + lines.status().message()));
  if (lines->empty())
    return usageError(
        invalidArgument("--commands-file: there is no command in " + path));
  Session session;
  if (Status status = session.open(flags); !status.isOk())
    return usageError(status);
  StateFile state;
  if (flags.given(DriverFlag::State))
    if (Status status = state.open(flags.text(DriverFlag::State),
                                   stateHead(session, bearing),
                                   flags.on(DriverFlag::Restart));
        !status.isOk())
      return usageError(status);
  if (Status status = session.openTable(flags); !status.isOk())
    return usageError(status);
  std::vector<ParsedLine> parsed;
  for (const FileLine &each : *lines)
    addLaunches(parseLine(each, outside), &parsed);
  return session.runFile(parsed, state);
}

int boo::driverCommand(std::span<const std::string> arguments) {
  std::vector<std::string> tokens = splitTabs(arguments);
  // Errors of this first look are told by parseCommand, which knows the
  // command.
  auto found = findFlags(tokens);
  bool help = tokens.empty(), file = false;
  if (found.isOk())
    for (const Occurrence &each : *found)
      if (each.table == kDriverTable) {
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
  Status status = session.open(line->driver);
  if (status.isOk())
    status = session.openTable(line->driver);
  if (!status.isOk())
    return usageError(status);
  std::vector<ParsedLine> launches;
  addLaunches({"", line->command, *line, {}}, &launches);
  return session.runSingle(launches);
}
