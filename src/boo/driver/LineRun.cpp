//===- LineRun.cpp - A command line, run and told of ----------------------===//

#include "boo/driver/LineRun.h"

using namespace boo;

RunResult boo::failedResult(std::string command, std::string backend,
                            Status status) {
  RunResult result;
  result.command = std::move(command);
  result.backend = std::move(backend);
  result.status = std::move(status);
  return result;
}

RunResult boo::rejectedResult(std::string command, std::string backend,
                              Status status) {
  RunResult result =
      failedResult(std::move(command), std::move(backend), std::move(status));
  result.rejected = true;
  return result;
}

/// Flags that say how to do what was not asked for.
static void noteIdle(const DriverValues &flags, bool times,
                     std::vector<std::string> *notes) {
  bool verifies =
      flags.on(DriverFlag::Verify) || flags.on(DriverFlag::VerifyNumerics);
  auto note = [&](DriverFlag flag, const char *needs) {
    const Flag &about = driverFlagTable()[size_t(flag)];
    if (flags.given(flag) && flags.text(flag) != about.defaultValue)
      notes->push_back(flagSpelling(about) + " is ignored without " + needs);
  };
  if (!times)
    note(DriverFlag::Warmup, "-t 1");
  if (flags.given(DriverFlag::Load))
    if (flags.given(DriverFlag::Splat))
      notes->push_back("--splat-input-value is ignored beside --load");
  if (!verifies)
    for (DriverFlag flag :
         {DriverFlag::SkipStructured, DriverFlag::NumericsVerbose,
          DriverFlag::NumericsMinSamples})
      note(flag, "--verify");
}

bool boo::runLine(const CommandLine &line, const std::string &backend,
                  const SessionOptions &options, const LineListener &listener) {
  std::vector<std::string> notes;
  auto command = buildCommand(line);
  Status status = command.status();
  if (status.isOk())
    status = line.driver.checkUse(&notes);
  if (!status.isOk()) {
    listener.onResult(rejectedResult(line.command, backend, status));
    return true;
  }
  noteIdle(line.driver, options.timeAlways || line.driver.on(DriverFlag::Time),
           &notes);
  notes.insert(notes.end(), command->notes.begin(), command->notes.end());
  listener.onBegin(notes);
  RunResult result = runCommand(line, *command, backend, options);
  bool sound = result.status.code() != StatusCode::KernelError;
  listener.onResult(std::move(result));
  return sound;
}
