//===- ProgramLine.cpp ----------------------------------------------------===//

#include "boo/driver/ProgramLine.h"
#include "boo/base/Env.h"
#include "boo/driver/RunCommand.h"
#include "boo/driver/commands/Nearest.h"

#include <algorithm>
#include <cstdio>
#include <set>

using namespace boo;

static bool isCommand(const std::string &word) {
  auto all = allCommands();
  return std::any_of(all.begin(), all.end(), [&](const CommandInfo &info) {
    return info.spelling == word;
  });
}

namespace {
/// Sorts what parseFlags found into the parts of a ProgramLine.
class Sorter {
public:
  Sorter(std::span<const std::string> tokens, ProgramLine &line)
      : Tokens(tokens), Line(line) {}

  /// `found` was parsed with the program's own table first and the driver's
  /// last, of `tables` in all.
  void take(std::span<const Occurrence> found, size_t tables) {
    for (const Occurrence &each : found) {
      if (each.isPositional())
        continue;
      if (each.table == 0) {
        Line.own.add(each.flag, each.value);
        continue;
      }
      if (each.table == tables - 1)
        takeOfDriver(each);
      else
        append(each);
    }
  }

private:
  void takeOfDriver(const Occurrence &each) {
    Line.driver.add(each.flag, each.value);
    if (DriverFlag(each.flag) == DriverFlag::Help)
      Line.help |= each.value == "1";
    else if (driverFlagTable()[each.flag].scope == FlagScope::Line)
      append(each);
  }
  void append(const Occurrence &each) {
    for (size_t i = each.begin; i != each.end; ++i)
      Line.outside.push_back(Tokens[i]);
  }

  std::span<const std::string> Tokens;
  ProgramLine &Line;
};
} // namespace

static Status readLines(std::string_view program, ProgramLine &line) {
  auto lines = readCommandsFile(line.file);
  if (lines.status().code() == StatusCode::NotFound) {
    std::vector<std::string_view> names;
    for (const CommandInfo &info : allCommands())
      names.push_back(info.spelling);
    return invalidArgument("'" + line.file.substr(0, 60) +
                           "' is neither a file nor a command" +
                           didYouMean(line.file, names));
  }
  if (!lines.isOk())
    return invalidArgument(lines.status().message());
  if (lines->empty())
    return invalidArgument("there is no command in " + line.file);
  line.lines = std::move(*lines);
  if (envStatus().isOk())
    return Status::ok();
  return invalidArgument(std::string(program) + ": " + envStatus().message());
}

/// Whether `token` is "--name" or "--name=value" of a flag of `own` that no
/// operation has.
static bool isOwnLong(std::string_view token, FlagTable own) {
  if (!token.starts_with("--"))
    return false;
  std::string_view name = token.substr(2, token.find('=') - 2);
  auto has = [name](FlagTable table) {
    return std::any_of(table.begin(), table.end(),
                       [name](const Flag &flag) { return flag.name == name; });
  };
  std::vector<FlagTable> others = allFlagTables();
  others.pop_back(); // the driver's
  return has(own) && std::none_of(others.begin(), others.end(), has);
}

/// Takes the program's own flags out of a command: long ones, as letters behind
/// a command's name are the operation's.
static Status takeOwn(std::vector<std::string> &tokens, ProgramLine &line) {
  FlagTable own[] = {line.own.table()};
  for (size_t i = 1; i < tokens.size();) {
    if (!isOwnLong(tokens[i], own[0])) {
      ++i;
      continue;
    }
    // What follows may be its value, or no business of its.
    std::span<const std::string> all = tokens;
    auto found = parseFlags(all.first(std::min(i + 2, all.size())), own, i);
    if (!found.isOk() || found->size() != 1)
      found = parseFlags(all.first(i + 1), own, i);
    BOO_RETURN_IF_ERROR(found.status());
    const Occurrence &flag = found->front();
    line.own.add(flag.flag, flag.value);
    tokens.erase(tokens.begin() + ptrdiff_t(i),
                 tokens.begin() + ptrdiff_t(flag.end));
  }
  return Status::ok();
}

StatusOr<ProgramLine> boo::parseProgram(std::string_view program,
                                        std::span<const std::string> tokens,
                                        FlagTable own) {
  ProgramLine line;
  line.own = FlagValues(own);
  Sorter sorter(tokens, line);
  FlagTable before[] = {own, driverFlagTable()};
  BOO_ASSIGN_OR_RETURN(auto head, parseFlags(tokens, before, 0, true));
  sorter.take(head, std::size(before));
  if (line.help || tokens.empty()) {
    line.help = true;
    return line;
  }
  bool hasWord = !head.empty() && head.back().isPositional();
  size_t word = hasWord ? head.back().begin : tokens.size();
  if (hasWord && isCommand(tokens[word])) {
    FileLine only;
    only.tokens.assign(tokens.begin() + ptrdiff_t(word), tokens.end());
    BOO_RETURN_IF_ERROR(takeOwn(only.tokens, line));
    only.text = joinCommand(only.tokens);
    for (const std::string &token : only.tokens)
      line.help |= token == "--help";
    line.lines.push_back(std::move(only));
    return line;
  }

  std::vector<FlagTable> tables = allFlagTables();
  tables.insert(tables.begin(), own);
  BOO_ASSIGN_OR_RETURN(
      auto tail, parseFlags(tokens, tables, std::min(word + 1, tokens.size())));
  sorter.take(tail, tables.size());
  if (line.help)
    return line;
  for (const Occurrence &each : tail)
    if (each.isPositional())
      return invalidArgument("'" + each.value.substr(0, 60) +
                             "': one FILE is taken, and behind it only flags");
  line.file =
      hasWord ? tokens[word] : line.driver.text(DriverFlag::CommandsFile);
  if (line.file.empty())
    return invalidArgument("which commands? " + std::string(program) +
                           " FILE, or " + std::string(program) +
                           " conv -n 1 -c 64 …; --help tells more");
  BOO_RETURN_IF_ERROR(readLines(program, line));
  return line;
}

/// The launches of a line, parsed.
static StatusOr<std::vector<CommandLine>>
launchesOf(const FileLine &file, const ProgramLine &program) {
  BOO_RETURN_IF_ERROR(file.status);
  BOO_ASSIGN_OR_RETURN(
      CommandLine line,
      parseCommand(file.tokens, program.outside, !program.file.empty()));
  return separateLaunches(line);
}

/// The part of planning a launch that can fail.
static Status plan(const std::string &cacheDir, bool compileOnly,
                   PlannedCommand &planned, std::vector<std::string> *notes) {
  planned.text = planned.name = planned.line.command;
  BOO_RETURN_IF_ERROR(planned.line.driver.checkUse(notes));
  planned.repro = reproLine(planned.line, "boo");
  BOO_ASSIGN_OR_RETURN(planned.command, buildCommand(planned.line));
  notes->insert(notes->end(), planned.command.notes.begin(),
                planned.command.notes.end());
  planned.name = planned.command.name;
  // Behind a single command the folder is among its flags.
  BOO_ASSIGN_OR_RETURN(
      planned.options,
      compileOptions(planned.line, planned.command,
                     cacheDir.empty()
                         ? planned.line.driver.text(DriverFlag::CacheDir)
                         : cacheDir,
                     compileOnly));
  return Status::ok();
}

std::vector<PlannedCommand> boo::planCommands(const ProgramLine &program,
                                              const std::string &cacheDir,
                                              bool compileOnly,
                                              std::vector<std::string> *notes) {
  std::vector<PlannedCommand> commands;
  for (const FileLine &file : program.lines) {
    PlannedCommand planned;
    if (!program.file.empty())
      planned.where = "line " + std::to_string(file.number);
    planned.text = planned.name =
        file.status.isOk() ? joinCommand(file.tokens) : file.text;
    auto add = [&](PlannedCommand command) {
      if (command.repro.empty())
        command.repro = "boo driver " + command.text;
      commands.push_back(std::move(command));
    };
    auto launches = launchesOf(file, program);
    planned.status = launches.status();
    if (!launches.isOk()) {
      add(std::move(planned));
      continue;
    }
    for (CommandLine &launch : *launches) {
      PlannedCommand each = planned;
      each.line = std::move(launch);
      each.status = plan(cacheDir, compileOnly, each, notes);
      add(std::move(each));
    }
  }
  return commands;
}

std::vector<std::string> boo::idleFlags(const DriverValues &driver,
                                        std::span<const DriverFlag> used,
                                        std::string_view why) {
  std::vector<std::string> notes;
  FlagTable table = driverFlagTable();
  for (size_t i = 0; i != table.size(); ++i) {
    const FlagValues &values = driver;
    bool counts =
        std::find(used.begin(), used.end(), DriverFlag(i)) != used.end() ||
        DriverFlag(i) == DriverFlag::CommandsFile;
    if (values.given(i) && !counts && table[i].use == FlagUse::Honoured &&
        values.text(i) != table[i].defaultValue)
      notes.push_back(flagSpelling(table[i]) +
                      " is ignored: " + std::string(why));
  }
  return notes;
}

std::string boo::describeDriverFlags(std::span<const DriverFlag> flags) {
  std::vector<Flag> table;
  for (DriverFlag flag : flags) {
    table.push_back(driverFlagTable()[size_t(flag)]);
    table.back().use = FlagUse::Honoured;
  }
  return describeFlags(table);
}

int boo::programError(const Status &status) {
  std::fprintf(stderr, "boo: error: %s\n", status.message().c_str());
  return status.code() == StatusCode::InvalidArgument ? 2 : 1;
}

void boo::printNotes(std::vector<std::string> notes) {
  std::set<std::string> seen;
  for (const std::string &note : notes)
    if (seen.insert(note).second)
      std::fprintf(stderr, "boo: note: %s\n", note.c_str());
}

ProgramFailure boo::failureOf(const PlannedCommand &command,
                              const Status &status) {
  return {command.where, command.name, status.toString(), command.repro};
}

std::string boo::failureList(std::span<const ProgramFailure> failures) {
  if (failures.empty())
    return "";
  std::string text = "Failures:\n";
  for (const ProgramFailure &failure : failures) {
    // Compilers write several lines; here they are one.
    std::string reason = failure.reason;
    std::replace(reason.begin(), reason.end(), '\n', ' ');
    text += failure.where + (failure.where.empty() ? "" : ": ") + failure.name +
            "  :  " + reason + "\n  repeat with: " + failure.repro + "\n";
  }
  return text;
}
