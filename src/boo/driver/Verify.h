//===- Verify.h - Is the result right? --------------------------*- C++ -*-===//
//
// Several checks, as each finds what the others miss:
//   random      uniform inputs, each result within its own bound of the float64
//               reference. The bound grows with the length of the sums, so a
//               lost term among thousands can pass;
//   unaligned   the same with every operand one element behind a multiple of
//               64 bytes: a kernel may count on its element's alignment only;
//   integers    small whole numbers, for which sums are exact: any lost,
//               doubled or misplaced term shows. Direct algorithms only;
//   block       a box of ones in zeros: sums of few terms, so bounds are tight,
//               and an index that is off is seen at the box's edge;
//   threads     the same bits from one worker and from several.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "boo/base/Interrupt.h"
#include "boo/driver/Backend.h"
#include "boo/driver/Compare.h"
#include "boo/driver/Operands.h"
#include "boo/driver/ReferenceCache.h"

#include <optional>

namespace boo {

struct VerifyOptions {
  uint64_t seed = 0;
  std::optional<double> splat; ///< fill of the first check
  /// Fills the arguments of the first check instead, if there is one.
  std::function<Status(const Operands &)> load;
  bool structured = true; ///< run integers and block as well
  int64_t minSamples = 0; ///< go on with further seeds up to this count
  int threads = 1;
  std::string math;
  /// Gets the errors of the random check, if there; costs a further reference.
  ErrorFigures *figures = nullptr;
  /// Keeps reference results for the next command that needs the same.
  ReferenceCache *references = nullptr;
  /// Asked for during references: whether to stop.
  bool (*giveUp)() = interrupted;
};

struct Verdict {
  bool ok = true;
  Comparison figures;      ///< of the random check
  std::string failure;     ///< the first, in one sentence
  std::string failedCheck; ///< its name
  bool cutShort = false;   ///< told to give up behind the first random check
  std::vector<std::string> report; ///< a line a check
};

/// Runs the checks on the given buffers, up to the first that fails. An error
/// Status means that one could not be carried out.
StatusOr<Verdict> verifyRunner(const Graph &graph, Runner &runner,
                               Operands &operands,
                               const VerifyOptions &options);

/// Bytes that the checks take beside the operands; with `figures` those of
/// VerifyOptions::figures too.
int64_t verifyBytes(const Graph &graph, bool figures = false);

/// The magnitude of whole numbers for which every sum of `graph` is exact in
/// its accumulation type, or 0 when the integers check cannot be used.
int64_t exactMagnitude(const Graph &graph, const std::string &algorithm,
                       const std::string &math);

} // namespace boo
