//===- CompileFlags.cpp ---------------------------------------------------===//

#include "boo/driver/CompileFlags.h"
#include "boo/base/Env.h"
#include "boo/runtime/cpu/CpuInfo.h"

using namespace boo;

StatusOr<CompileOptions> boo::compileOptions(const CommandLine &line,
                                             const CommandGraph &command,
                                             const std::string &cacheDir,
                                             bool compileOnly) {
  const DriverValues &flags = line.driver;
  CompileOptions options;
  auto target =
      targetFor(flags.text(DriverFlag::TargetName).substr(0, 60), compileOnly);
  if (!target.isOk())
    return target.status().withContext("--target");
  options.target = *target;
  options.math = env().math;
  if (flags.given(DriverFlag::Math)) {
    options.math = flags.text(DriverFlag::Math);
    BOO_RETURN_IF_ERROR(checkMath("--math", options.math));
  }
  options.name = command.name;
  for (ValueId id : command.graph.arguments())
    options.constantsPacked |= command.graph.value(id).role == Role::Constant;
  // A folder named on the command line is meant to be used.
  options.useCache =
      (env().cacheOn || !cacheDir.empty()) && !flags.on(DriverFlag::NoCache);
  options.recompile = flags.on(DriverFlag::Recompile);
  options.cacheDir = cacheDir;
  options.dumpDir = flags.given(DriverFlag::DumpDir)
                        ? flags.text(DriverFlag::DumpDir)
                        : env().dumpDir;
  return options;
}
