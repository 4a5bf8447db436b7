//===- Dump.h - IR after each stage, for people -----------------*- C++ -*-===//
#pragma once

#include "boo/compiler/emit/Emit.h"

#include "mlir/Pass/PassInstrumentation.h"

#include <memory>
#include <string>
#include <string_view>

namespace boo::compiler {

/// Writes a whole file; the error names the path.
Status writeText(const std::string &path, std::string_view text);

/// Writes numbered files `<name>.<nn>-<stage>` into a folder; with an empty
/// folder name it writes nothing. A file that cannot be written is skipped with
/// a warning: a dump never fails a compile.
class Dump {
public:
  Dump(std::string folder, std::string name);

  bool enabled() const { return !State->folder.empty(); }
  void text(std::string_view stage, std::string_view text) const;
  StageDump stageDump() const;
  /// Dumps the module after each pass, and notes the name of a failing one.
  std::unique_ptr<mlir::PassInstrumentation>
  instrumentation(std::shared_ptr<std::string> failedPass) const;

private:
  struct Shared {
    std::string folder, name;
    int number = 0;
  };
  std::shared_ptr<Shared> State;
};

} // namespace boo::compiler
