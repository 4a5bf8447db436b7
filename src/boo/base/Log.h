//===- Log.h - Progress and warnings, to stderr -----------------*- C++ -*-===//
#pragma once

#include "boo/base/Env.h"

namespace boo {

/// A message below this level costs one load and a comparison.
bool logEnabled(LogLevel level);
/// Replaces the level that the environment gives.
void setLogLevel(LogLevel level);

/// Writes "boo: warning: message" as one line in one write.
void logMessage(LogLevel level, std::string_view message);

/// A warning that is written once a process for each `topic`, however often its
/// cause comes back.
void warnOnce(std::string_view topic, std::string_view message);

} // namespace boo

/// Evaluates `message` only if the level is on.
#define BOO_LOG(level, message)                                                \
  do {                                                                         \
    if (::boo::logEnabled(::boo::LogLevel::level))                             \
      ::boo::logMessage(::boo::LogLevel::level, message);                      \
  } while (false)
