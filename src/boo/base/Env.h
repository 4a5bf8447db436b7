//===- Env.h - The environment, read once -----------------------*- C++ -*-===//
//
// The only place with getenv. The variables are read at first use and never
// again; everything else takes its options as structs.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "boo/base/Status.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace boo {

enum class LogLevel { Error, Warning, Info, Debug };

struct Env {
  bool cacheOn = true;                   ///< BOO_CACHE_ON
  bool useBackwardKernels = false;       ///< BOO_USE_BACKWARD_KERNELS
  std::string cacheDir;                  ///< BOO_CACHE_DIR, never empty
  std::vector<std::string> cachePath;    ///< BOO_CACHE_PATH, split at colons
  std::optional<std::string> tuningSpec; ///< BOO_TUNING_SPEC_PATH; "" = none
  std::string math = "default";          ///< BOO_MATH
  std::string dumpDir;                   ///< BOO_DUMP_DIR, "" = no dump
  std::string dumpGraphs;                ///< BOO_DUMP_GRAPHS, "" = no dump
  std::string compilerPlugin;            ///< BOO_COMPILER_PLUGIN, "" = search
  std::string tmpDir = "/tmp";           ///< TMPDIR
  std::vector<std::string> libraryPath;  ///< LD_LIBRARY_PATH, split at colons
  int ompNumThreads = 0;                 ///< OMP_NUM_THREADS' first; 0 = unset
  int64_t soakKills = 0;   ///< BOO_SOAK_KILLS: of the long cache test
  int64_t soakSeconds = 0; ///< BOO_SOAK_SECONDS: of long random tests
  /// TURBINE_LOG_LEVEL, or log_level= in TURBINE_DEBUG.
  LogLevel logLevel = LogLevel::Warning;
};

/// The variables of this process. Those with an unusable value stand at their
/// default; envStatus() tells.
const Env &env();

/// Ok, or an error naming the first variable with an unusable value.
const Status &envStatus();

/// 1/0, yes/no, on/off, true/false, in any case.
StatusOr<bool> parseSwitch(std::string_view name, std::string_view value);
/// ERROR, WARNING (WARN), INFO or DEBUG, in any case.
StatusOr<LogLevel> parseLogLevel(std::string_view name, std::string_view value);
/// "strict", "default" or "fast".
Status checkMath(std::string_view name, std::string_view value);

/// The default of BOO_CACHE_DIR: below `home` (HOME), else below the user's
/// `passwordHome` if it can be written to, else below /tmp/boo-<user id>, which
/// no two users share.
std::string defaultCacheDir(std::string_view home,
                            const std::string &passwordHome);

/// Reads variables from `lookup`, which returns NULL for an unset one. `status`
/// gets the first error.
Env readEnv(const std::function<const char *(const char *)> &lookup,
            Status *status);

} // namespace boo
