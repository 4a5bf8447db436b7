//===- Tuning.h - Schedules found by measurement ----------------*- C++ -*-===//
//
// A tuning file has one entry a line, read without MLIR:
//
//   {"graph": "boo.graph 1\n%0 = input …", "target": "avx512",
//    "math": "default", "schedule": "m_tile=7 n_vectors=4"}     (on one line)
//
// `graph` is the canonical text of a group, `target` an instruction set, and
// `schedule` what replaces fields of the model's choice. Only the entry that
// matches a group goes into its key: tuning one kernel recompiles no other.
// Further fields are for people: what was measured.
//
// A file whose name ends in .mlir is a transform-dialect library instead: the
// compiler runs it on the module of every kernel, and it goes into every key.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "boo/base/Status.h"
#include "boo/base/Target.h"

#include <map>
#include <string>
#include <string_view>
#include <tuple>

namespace boo {

struct TuningEntry {
  std::string graph;
  Isa isa = Isa::Generic;
  std::string math, schedule;
  std::string name;             ///< of the kernel, for people as all below
  int64_t threads = 1;          ///< of the measurement
  double untunedUs = 0, us = 0; ///< microseconds a call, before and after
};
/// A line with its newline.
std::string printTuningEntry(const TuningEntry &entry);

class TuningTable {
public:
  /// Entries of a file's text; empty lines and lines that begin with # are
  /// skipped, and of equal entries the last counts. An error names the line.
  static StatusOr<TuningTable> parse(std::string_view text);
  /// The file at `path`, entries or a library.
  static StatusOr<TuningTable> read(const std::string &path);

  /// Those that come with BOO: one that cannot serve on a machine is left aside
  /// there. Nothing where they were not installed.
  static StatusOr<TuningTable> readShipped();

  /// The schedule for a group, or "": what boo_compile_request takes.
  std::string find(std::string_view graph, Isa isa,
                   std::string_view math) const;
  size_t size() const { return Entries.size(); }
  /// Text of the transform library, or "".
  const std::string &transforms() const { return Transforms; }

private:
  /// By graph, instruction set and math mode.
  std::map<std::tuple<std::string, Isa, std::string>, std::string> Entries;
  std::string Transforms;
  bool Optional = false; ///< entries that cannot serve are no errors
};

/// What BOO_TUNING_SPEC_PATH names, read once; nothing when it is "", and what
/// comes with BOO when it is unset.
const StatusOr<TuningTable> &environmentTuning();

} // namespace boo
