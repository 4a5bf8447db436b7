//===- Command.cpp - Registry and parser of commands ----------------------===//

#include "boo/driver/commands/Command.h"
#include "boo/driver/commands/CommandText.h"
#include "boo/driver/commands/ConvCommand.h"
#include "boo/driver/commands/Nearest.h"

using namespace boo;

FlagTable boo::driverFlagTable() {
  static constexpr Flag table[] = {
#define BOO_DRIVER_FLAG(id, name, letter, value, kind, use, scope, repro,      \
                        help, reason)                                          \
  {name,   letter,           value, FlagKind::kind, FlagUse::use, help,        \
   reason, FlagScope::scope, repro},
#include "boo/driver/commands/DriverFlags.inc"
  };
  return table;
}

std::span<const CommandInfo> boo::allCommands() {
  static constexpr CommandInfo commands[] = {
#define BOO_COMMAND(spelling, family, dtype, what)                             \
  {spelling, FamilyId::family, DType::dtype, what},
#include "boo/driver/commands/Commands.inc"
  };
  return commands;
}

namespace {
struct Family {
  FlagTable table;
  StatusOr<CommandGraph> (*build)(const CommandLine &);
  std::string_view usage, what;
};
} // namespace

static Family family(FamilyId id) {
  switch (id) {
#define BOO_FAMILY(name, spelling, table, builder, usage, what)                \
  case FamilyId::name:                                                         \
    return {table, builder, usage, what};
#include "boo/driver/commands/Commands.inc"
  }
  return {};
}

static std::span<const FamilyId> allFamilies() {
  static constexpr FamilyId families[] = {
#define BOO_FAMILY(name, spelling, table, builder, usage, what) FamilyId::name,
#include "boo/driver/commands/Commands.inc"
  };
  return families;
}

std::vector<FlagTable> boo::familyFlagTables() {
  return {
#define BOO_FAMILY(name, spelling, table, builder, usage, what) table,
#include "boo/driver/commands/Commands.inc"
  };
}

FlagTable boo::commandFlagTable(const CommandInfo &info) {
  return family(info.family).table;
}

std::vector<FlagTable> boo::allFlagTables() {
  std::vector<FlagTable> tables = familyFlagTables();
  tables.push_back(driverFlagTable());
  return tables;
}

static StatusOr<const CommandInfo *> findCommand(const std::string &word) {
  std::vector<std::string_view> names;
  for (const CommandInfo &info : allCommands()) {
    if (info.spelling == word)
      return &info;
    names.push_back(info.spelling);
  }
  return invalidArgument("unknown command '" + word.substr(0, 60) + "'" +
                         didYouMean(word, names) +
                         " (boo driver --help lists them)");
}

/// The index of the command's name in `tokens`.
static StatusOr<size_t> findCommandWord(std::span<const std::string> tokens) {
  FlagTable tables[] = {driverFlagTable()};
  auto found = parseFlags(tokens, tables, 0, true);
  if (!found.isOk())
    return found.status().withContext(
        "before the command (its own flags stand behind its name)");
  if (found->empty() || !found->back().isPositional())
    return invalidArgument(
        "no command; for example: boo driver conv -n 1 -c 64 -H 56 -W 56 -k 64 "
        "-y 3 -x 3 -p 1 -q 1 -t 1");
  return found->back().begin;
}

StatusOr<CommandLine> boo::parseCommand(std::span<const std::string> tokens,
                                        std::span<const std::string> outside,
                                        bool inFile) {
  BOO_ASSIGN_OR_RETURN(size_t word, findCommandWord(tokens));
  CommandLine line;
  BOO_ASSIGN_OR_RETURN(line.info, findCommand(tokens[word]));
  FlagTable tables[] = {family(line.info->family).table, driverFlagTable()};
  line.op = FlagValues(tables[0]);
  std::vector<std::string> echo, command;

  auto take = [&](std::span<const std::string> from, size_t first, size_t end,
                  std::span<const FlagTable> known, bool before,
                  bool outer) -> Status {
    BOO_ASSIGN_OR_RETURN(auto found, parseFlags(from.first(end), known, first));
    for (Occurrence &each : found) {
      bool keep = true, ofCommand = true;
      if (each.isPositional()) {
        if (outer)
          return invalidArgument("'" + each.value.substr(0, 60) +
                                 "' stands beside a commands file, where only "
                                 "flags may");
        line.positionals.push_back(each.value);
      } else if (known.size() == 2 && each.table == 0) {
        line.op.add(each.flag, each.value);
      } else {
        const Flag &flag = driverFlagTable()[each.flag];
        if (inFile && !outer && flag.scope == FlagScope::Session)
          return invalidArgument(flagSpelling(flag) +
                                 " concerns all commands: give it beside the "
                                 "commands file, not inside");
        ofCommand = false;
        keep = DriverFlag(each.flag) == DriverFlag::Iter && !before && !outer;
        line.driver.add(each.flag, each.value);
      }
      if (keep)
        for (size_t i = each.begin; i != each.end; ++i)
          echo.push_back(from[i]);
      if (ofCommand)
        for (size_t i = each.begin; i != each.end; ++i)
          command.push_back(from[i]);
    }
    return Status::ok();
  };

  FlagTable driverOnly[] = {driverFlagTable()};
  BOO_RETURN_IF_ERROR(take(tokens, 0, word, driverOnly, true, false));
  echo.push_back(tokens[word]);
  command.push_back(tokens[word]);
  BOO_RETURN_IF_ERROR(
      take(tokens, word + 1, tokens.size(), tables, false, false));
  BOO_RETURN_IF_ERROR(take(outside, 0, outside.size(), tables, false, true));
  line.echo = joinCommand(echo);
  line.command = joinCommand(command);
  return line;
}

std::string_view boo::torchDType(DType dtype) {
  switch (dtype) {
  case DType::F64:
    return "float64";
  case DType::F32:
    return "float32";
  case DType::F16:
    return "float16";
  case DType::BF16:
    return "bfloat16";
  case DType::I64:
    return "int64";
  case DType::I32:
    return "int32";
  case DType::I8:
    return "int8";
  case DType::I1:
    return "bool";
  }
  return "";
}

/// The line with `value` for a flag of its command that has a letter.
static StatusOr<CommandLine> withFlag(const CommandLine &line, size_t flag,
                                      const std::string &value) {
  CommandLine result = line;
  result.op.add(flag, value);
  FlagTable tables[] = {line.op.table(), driverFlagTable()};
  for (std::string *text : {&result.echo, &result.command}) {
    BOO_ASSIGN_OR_RETURN(std::vector<std::string> tokens, splitCommand(*text));
    BOO_ASSIGN_OR_RETURN(auto found, parseFlags(tokens, tables, 1));
    std::vector<std::string> kept{tokens.front()};
    for (const Occurrence &each : found)
      if (each.table != 0 || each.flag != flag)
        kept.insert(kept.end(), tokens.begin() + int64_t(each.begin),
                    tokens.begin() + int64_t(each.end));
    kept.push_back(std::string("-") + line.op.table()[flag].letter);
    kept.push_back(value);
    *text = joinCommand(kept);
  }
  return result;
}

StatusOr<std::vector<CommandLine>>
boo::separateLaunches(const CommandLine &line) {
  std::vector<CommandLine> launches;
  std::string said;
  if (line.info->family == FamilyId::Conv)
    for (const std::string &direction : convLaunches(line.op)) {
      BOO_ASSIGN_OR_RETURN(CommandLine launch,
                           withFlag(line, size_t(ConvFlag::Forw), direction));
      Status status = buildCommand(launch).status();
      if (!status.isOk() && status.toString() == said)
        continue;
      said = status.isOk() ? said : status.toString();
      launches.push_back(std::move(launch));
    }
  if (launches.empty())
    launches.push_back(line);
  return launches;
}

Status boo::refusePositionals(const CommandLine &line) {
  if (line.positionals.empty())
    return Status::ok();
  return invalidArgument("'" + line.positionals.front().substr(0, 60) +
                         "' belongs to no flag");
}

StatusOr<CommandGraph> boo::buildCommand(const CommandLine &line) {
  std::vector<std::string> notes;
  BOO_RETURN_IF_ERROR(line.op.checkUse(&notes));
  BOO_ASSIGN_OR_RETURN(CommandGraph result,
                       family(line.info->family).build(line));
  result.notes.insert(result.notes.begin(), notes.begin(), notes.end());
  return result;
}

StatusOr<Graph> boo::graphFromCommand(const std::string &command,
                                      std::string *name) {
  BOO_ASSIGN_OR_RETURN(std::vector<std::string> tokens, splitCommand(command));
  BOO_ASSIGN_OR_RETURN(CommandLine line, parseCommand(tokens));
  BOO_ASSIGN_OR_RETURN(CommandGraph built, buildCommand(line));
  if (name)
    *name = built.name;
  return std::move(built.graph);
}

std::string boo::driverHelp() {
  std::string text =
      "boo driver - compile, run, time and verify one operation, or a file of "
      "them\n\n"
      "Usage: boo driver [FLAGS] COMMAND [FLAGS]\n"
      "       boo driver [FLAGS] --commands-file FILE\n\n"
      "Commands (boo driver COMMAND --help lists a command's own flags):\n";
  for (FamilyId id : allFamilies()) {
    std::string names;
    for (const CommandInfo &info : allCommands())
      if (info.family == id)
        names += (names.empty() ? "" : " ") + std::string(info.spelling);
    Family about = family(id);
    names += " " + std::string(about.usage);
    std::string_view what = about.what.substr(0, about.what.find('\n'));
    text += "  " + wrapText(names, 2, 2) + "      " + wrapText(what, 6, 6);
  }
  text +=
      "\nExamples:\n"
      "  boo driver conv -n 1 -c 64 -H 56 -W 56 -k 64 -y 3 -x 3 -p 1 -q 1 "
      "-t 1\n"
      "  boo driver convbfp16 -n 16 -c 384 -H 24 -W 48 -k 384 -y 1 -x 1 "
      "--verify \\\n"
      "      --in_layout NHWC --fil_layout NHWC --out_layout NHWC\n"
      "  boo driver --commands-file convs.txt --csv results.csv -t 1\n"
      "  boo driver --commands-file convs.txt --verify --timeout 60 --state "
      "convs.state\n\n"
      "Flags of the driver, before or after the command:\n" +
      describeFlags(driverFlagTable()) +
      "\nA flag may be written --in_h 32, --in_h=32, --in-h 32, -H 32, -H32 "
      "or -H=32.\n"
      "Exit status: 0 all well; 1 something failed or did not verify; 2 a "
      "usage\nerror; 130 interrupted.\n";
  return text;
}

std::string boo::commandHelp(const CommandInfo &info) {
  Family about = family(info.family);
  std::string text =
      wrapText("Usage: boo driver " + std::string(info.spelling) + " " +
                   std::string(about.usage),
               2, 0) +
      "\n" + std::string(about.what) + "\n\n" +
      wrapText(std::string(info.spelling) + ": " + std::string(info.what) + ".",
               0, 0);
  if (!about.table.empty())
    text += "\nFlags:\n" + describeFlags(about.table);
  return text + "\nThe driver's own flags (-t, --iter, --verify, --json, …): "
                "boo driver --help\n";
}
