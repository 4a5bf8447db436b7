//===- Command.h - A parsed command of `boo driver` -------------*- C++ -*-===//
#pragma once

#include "boo/driver/commands/Flags.h"
#include "boo/graph/Graph.h"

namespace boo {

enum class FamilyId {
#define BOO_FAMILY(name, spelling, table, builder, usage, what) name,
#include "boo/driver/commands/Commands.inc"
};

/// Indices into driverFlagTable().
enum class DriverFlag : size_t {
#define BOO_DRIVER_FLAG(id, name, letter, value, kind, use, scope, repro,      \
                        help, reason)                                          \
  id,
#include "boo/driver/commands/DriverFlags.inc"
};
FlagTable driverFlagTable();
/// The families' tables, and last the driver's: for flags that stand beside a
/// file of commands, of which only matters whether a value follows.
std::vector<FlagTable> allFlagTables();

/// Values of the driver's flags.
class DriverValues : public FlagValues {
public:
  DriverValues() : FlagValues(driverFlagTable()) {}
  bool given(DriverFlag f) const { return FlagValues::given(size_t(f)); }
  bool on(DriverFlag f) const { return FlagValues::on(size_t(f)); }
  std::string text(DriverFlag f) const { return FlagValues::text(size_t(f)); }
  int64_t integer(DriverFlag f) const { return FlagValues::integer(size_t(f)); }
  double real(DriverFlag f) const { return FlagValues::real(size_t(f)); }
};

struct CommandInfo {
  std::string_view spelling;
  FamilyId family;
  DType dtype;
  std::string_view what;
};
std::span<const CommandInfo> allCommands();

/// The flags of each family, in no order.
std::vector<FlagTable> familyFlagTables();
/// A command's own flags.
FlagTable commandFlagTable(const CommandInfo &info);

struct CommandLine {
  const CommandInfo *info = nullptr;
  FlagValues op; ///< of the family's table
  DriverValues driver;
  std::vector<std::string> positionals; ///< behind the command's name
  /// The command as it was written, without driver flags other than the
  /// --iter written behind its name.
  std::string echo;
  std::string command; ///< the same without any driver flag
};

/// What a command asks to be computed.
struct CommandGraph {
  Graph graph;
  std::string name; ///< func_name
  std::string direction = "forward";
  /// Sizes of each output in the order in which it lies in memory.
  std::vector<std::vector<int64_t>> outputSizes;
  std::vector<std::string> notes; ///< about flags without a meaning here
};

/// Splits a line into command, op flags and driver flags. `outside` are flags
/// given beside a commands file: they follow the line's own and win; those of
/// the driver are left out of the echo. Session flags are an error inside
/// `tokens` when `inFile` is set.
StatusOr<CommandLine> parseCommand(std::span<const std::string> tokens,
                                   std::span<const std::string> outside = {},
                                   bool inFile = false);

/// The launches that a command asks for, one after the other, each as a command
/// of its own: the directions of conv -F 0, but of most commands the line. Of
/// those that are wrong for one reason only the first is there, to be told
/// once.
StatusOr<std::vector<CommandLine>> separateLaunches(const CommandLine &line);

/// What one launch computes.
StatusOr<CommandGraph> buildCommand(const CommandLine &line);

/// The Graph of a command line such as "conv -n 1 -c 64 …", and the func_name
/// of its signature. Flags of the driver other than --wei-const are checked and
/// have no effect.
StatusOr<Graph> graphFromCommand(const std::string &command, std::string *name);

/// An error if the line has words that belong to no flag.
Status refusePositionals(const CommandLine &line);

/// Help of `boo driver`, or of one command.
std::string driverHelp();
std::string commandHelp(const CommandInfo &info);

/// "float32", as torch spells it.
std::string_view torchDType(DType dtype);

/// Builders of Commands.inc.
FlagTable convFlagTable();
FlagTable cbaFlagTable();
FlagTable sepconvFlagTable();
FlagTable gemmFlagTable();
FlagTable normFlagTable();
FlagTable softmaxFlagTable();
FlagTable reduceFlagTable();
FlagTable reduceExtremeFlagTable();
FlagTable attentionFlagTable();
FlagTable poolFlagTable();
FlagTable activFlagTable();
FlagTable tensorOpFlagTable();
FlagTable batchNormFlagTable();
FlagTable groupNormFlagTable();
FlagTable t5NormFlagTable();
StatusOr<CommandGraph> buildConv(const CommandLine &line);
StatusOr<CommandGraph> buildCba(const CommandLine &line);
StatusOr<CommandGraph> buildSepconv(const CommandLine &line);
StatusOr<CommandGraph> buildGemm(const CommandLine &line);
StatusOr<CommandGraph> buildNorm(const CommandLine &line);
StatusOr<CommandGraph> buildSoftmax(const CommandLine &line);
StatusOr<CommandGraph> buildReduce(const CommandLine &line);
StatusOr<CommandGraph> buildReduceExtreme(const CommandLine &line);
StatusOr<CommandGraph> buildAttention(const CommandLine &line);
StatusOr<CommandGraph> buildPool(const CommandLine &line);
StatusOr<CommandGraph> buildActiv(const CommandLine &line);
StatusOr<CommandGraph> buildTensorOp(const CommandLine &line);
StatusOr<CommandGraph> buildBatchNorm(const CommandLine &line);
StatusOr<CommandGraph> buildGroupNorm(const CommandLine &line);
StatusOr<CommandGraph> buildT5Norm(const CommandLine &line);
StatusOr<CommandGraph> buildGraphFile(const CommandLine &line);
StatusOr<CommandGraph> buildAten(const CommandLine &line);

/// The indices of the greatest ("max") or smallest elements along `dims`, with
/// the elements before them if `values` are wanted.
StatusOr<CommandGraph> extremeGraph(DType dtype,
                                    const std::vector<int64_t> &sizes,
                                    const std::vector<int64_t> &dims,
                                    const std::string &fn, bool values);

} // namespace boo
