//===- Build.h - Commands as their tests look at them -----------*- C++ -*-===//
#pragma once

#include "boo/driver/commands/Command.h"
#include "boo/driver/commands/CommandText.h"

#include <gtest/gtest.h>

namespace boo::testing {

/// What a command that is right asks for.
inline CommandGraph buildOf(const std::string &command) {
  auto tokens = splitCommand(command);
  EXPECT_TRUE(tokens.isOk()) << command;
  auto line = parseCommand(*tokens);
  EXPECT_TRUE(line.isOk()) << line.status().toString();
  auto built = buildCommand(*line);
  EXPECT_TRUE(built.isOk()) << built.status().toString();
  return std::move(*built);
}

/// Why a command is refused.
inline std::string errorOf(const std::string &command) {
  auto graph = graphFromCommand(command, nullptr);
  EXPECT_FALSE(graph.isOk()) << command;
  return graph.isOk() ? "" : graph.status().message();
}

} // namespace boo::testing
