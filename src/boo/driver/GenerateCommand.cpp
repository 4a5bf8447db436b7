//===- GenerateCommand.cpp - `boo generate` -------------------------------===//

#include "boo/driver/GenerateCommand.h"
#include "boo/base/Env.h"
#include "boo/base/Interrupt.h"
#include "boo/driver/ProgramLine.h"
#include "boo/runtime/Files.h"
#include "boo/runtime/Key.h"
#include "boo/runtime/Temporary.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>

using namespace boo;

namespace {
/// Indices into generateFlagTable().
enum class GenerateFlag : size_t {
#define BOO_GENERATE_FLAG(id, name, letter, value, kind, use, help, reason) id,
#include "boo/driver/GenerateFlags.inc"
};
} // namespace

FlagTable boo::generateFlagTable() {
  static constexpr Flag table[] = {
#define BOO_GENERATE_FLAG(id, name, letter, value, kind, use, help, reason)    \
  {name, letter, value, FlagKind::kind, FlagUse::use, help, reason},
#include "boo/driver/GenerateFlags.inc"
  };
  return table;
}

static constexpr DriverFlag Used[] = {DriverFlag::TargetName, DriverFlag::Math,
                                      DriverFlag::WeiConst};

std::string boo::generateHelp() {
  return "boo generate - write the MLIR of a list of commands, and their "
         "Graphs\n\n"
         "Usage: boo generate [FLAGS] FILE [FLAGS]\n"
         "       boo generate [FLAGS] COMMAND …\n\n"
         "NAME.mlir is a kernel's module as its emitter writes it, which the "
         "passes begin\nwith; NAME.graph is the command's Graph, which boo "
         "driver graph NAME.graph runs.\nThe target need not be one that this "
         "machine runs.\n\n"
         "Examples:\n"
         "  boo generate conv -n 1 -c 64 -H 56 -W 56 -k 64 -y 3 -x 3\n"
         "  boo generate convs.txt -o mlir --target amx\n"
         "  boo generate --stage list conv -n 1\n\n"
         "Flags:\n" +
         describeFlags(generateFlagTable()) +
         "\nFlags of the driver that count here; these and flags of operations "
         "are\nappended to each line of FILE and win:\n" +
         describeDriverFlags(Used) +
         "\nExit status: 0 all well; 1 something failed; 2 a usage error; 130\n"
         "interrupted.\n";
}

namespace {

/// One text to be written: of a kernel, or of a whole command.
struct Piece {
  std::string name, extension; ///< ".mlir"
  std::string id;              ///< what tells it from others of its name
  std::string text;
};

/// A folder for the stages of a compilation, removed at the end.
class DumpFolder {
public:
  Status create() {
    Path = env().tmpDir + "/" + temporaryName() + "-XXXXXX";
    if (::mkdtemp(Path.data()))
      return Status::ok();
    Path.clear();
    return systemError("create a folder in", env().tmpDir);
  }
  ~DumpFolder() {
    if (!Path.empty())
      removeFlatDirectory(Path);
  }
  const std::string &path() const { return Path; }

  struct Stage {
    std::string name, extension, file;
  };
  /// The stages of a kernel in their order: files NAME.NN-STAGE.EXT.
  std::vector<Stage> stages(const std::string &kernel) const {
    std::vector<Stage> found;
    for (const std::string &file : listDirectory(Path)) {
      if (!file.starts_with(kernel + "."))
        continue;
      std::string rest = file.substr(kernel.size() + 1);
      size_t dash = rest.find('-'), dot = rest.rfind('.');
      if (dash == rest.npos || dot == rest.npos || dot < dash)
        continue;
      found.push_back({rest.substr(dash + 1, dot - dash - 1), rest.substr(dot),
                       Path + "/" + file});
    }
    return found;
  }

private:
  std::string Path;
};

class Generator {
public:
  Generator(std::string folder, std::string stage)
      : Folder(std::move(folder)), Stage(std::move(stage)) {}

  /// Writes all that a command has.
  Status generate(const PlannedCommand &planned);
  size_t numFiles() const { return IdOfFile.size(); }

private:
  StatusOr<std::vector<Piece>> pieces(const PlannedCommand &planned) const;
  StatusOr<std::vector<Piece>> laterStage(const PlannedCommand &planned) const;
  Status write(const Piece &piece);

  std::string Folder, Stage;
  std::map<std::string, std::string> IdOfFile;
};

} // namespace

StatusOr<std::vector<Piece>>
Generator::laterStage(const PlannedCommand &planned) const {
  DumpFolder dump;
  BOO_RETURN_IF_ERROR(dump.create());
  CompileOptions options = planned.options;
  options.dumpDir = dump.path();
  BOO_ASSIGN_OR_RETURN(auto modules, emitModules(planned.command.graph, options,
                                                 /*toTheEnd=*/true));
  std::vector<Piece> result;
  for (const EmittedModule &module : modules) {
    const NeededKernel &kernel = module.kernel;
    std::string list;
    size_t before = result.size();
    for (const DumpFolder::Stage &stage : dump.stages(kernel.name)) {
      list += (list.empty() ? "" : ", ") + stage.name;
      if (stage.name != Stage)
        continue;
      // Of a pass that runs several times the last counts.
      result.resize(before);
      BOO_ASSIGN_OR_RETURN(std::string text, readFile(stage.file));
      result.push_back({kernel.name, "." + stage.name + stage.extension,
                        kernel.key, std::move(text)});
    }
    if (Stage == "list")
      result.push_back({kernel.name, ".stages.txt", kernel.key, list + "\n"});
    else if (result.size() == before)
      return invalidArgument("--stage " + Stage.substr(0, 60) +
                             ": there is none of that name; " + kernel.name +
                             " has " + list);
  }
  return result;
}

StatusOr<std::vector<Piece>>
Generator::pieces(const PlannedCommand &planned) const {
  std::vector<Piece> result;
  if (Stage != "emitted" && Stage != "graph")
    return laterStage(planned);
  if (Stage == "emitted") {
    BOO_ASSIGN_OR_RETURN(auto modules,
                         emitModules(planned.command.graph, planned.options));
    for (EmittedModule &module : modules)
      result.push_back({module.kernel.name, ".mlir", module.kernel.key,
                        std::move(module.mlir)});
  }
  // To stdout goes one kind of text.
  if (Stage == "graph" || !Folder.empty()) {
    std::string text = printGraph(planned.command.graph);
    result.push_back({safeName(planned.name), ".graph", text, text});
  }
  return result;
}

Status Generator::write(const Piece &piece) {
  if (Folder.empty()) {
    std::printf("// %s\n%s", piece.name.c_str(), piece.text.c_str());
    if (!piece.text.ends_with('\n'))
      std::printf("\n");
    return Status::ok();
  }
  // Commands of one name may differ in math mode or target.
  std::string file = piece.name + piece.extension;
  for (int n = 2; IdOfFile.count(file) && IdOfFile[file] != piece.id; ++n)
    file = piece.name + "-" + std::to_string(n) + piece.extension;
  IdOfFile[file] = piece.id;
  return writeFile(Folder + "/" + file, piece.text);
}

Status Generator::generate(const PlannedCommand &planned) {
  BOO_RETURN_IF_ERROR(planned.status);
  setRunning(planned.repro);
  auto all = pieces(planned);
  setRunning("");
  BOO_RETURN_IF_ERROR(all.status());
  for (const Piece &piece : *all)
    BOO_RETURN_IF_ERROR(write(piece));
  return Status::ok();
}

static int run(const ProgramLine &program, std::vector<std::string> notes) {
  std::string folder = program.own.text(size_t(GenerateFlag::OutputDir));
  Generator generator(folder, program.own.text(size_t(GenerateFlag::Stage)));
  std::vector<PlannedCommand> commands =
      planCommands(program, "", /*compileOnly=*/true, &notes);
  bool single = isSingle(program, commands);
  printNotes(std::move(notes));
  if (!folder.empty())
    if (Status status = makeDirectories(folder); !status.isOk())
      return programError(status.withContext("--output-dir (-o)"));

  SignalScope signals;
  std::vector<ProgramFailure> failures;
  size_t done = 0;
  for (const PlannedCommand &planned : commands) {
    if (interrupted())
      break;
    ++done;
    Status status = generator.generate(planned);
    if (status.isOk())
      continue;
    if (single)
      return programError(status);
    failures.push_back(failureOf(planned, status));
    failures.back().repro = "boo generate " + planned.text;
  }
  // With the texts on stdout, all else goes elsewhere.
  std::FILE *out = folder.empty() ? stderr : stdout;
  if (!single || !folder.empty())
    std::fprintf(out, "%zu of %zu commands, %zu failed", done, commands.size(),
                 failures.size());
  if (!folder.empty())
    std::fprintf(out, "; %zu files in %s", generator.numFiles(),
                 folder.c_str());
  if (!single || !folder.empty())
    std::fputs("\n", out);
  std::fputs(failureList(failures).c_str(), out);
  if (interrupted())
    return 130;
  return failures.empty() ? 0 : 1;
}

int boo::generateCommand(std::span<const std::string> arguments) {
  auto program = parseProgram("boo generate", arguments, generateFlagTable());
  if (!program.isOk())
    return programError(program.status());
  if (program->help) {
    std::fputs(generateHelp().c_str(), stdout);
    return arguments.empty() ? 2 : 0;
  }
  std::vector<std::string> notes =
      idleFlags(program->driver, Used, "boo generate only writes MLIR");
  if (Status status = program->driver.checkUse(&notes); !status.isOk())
    return programError(status);
  return run(*program, std::move(notes));
}
