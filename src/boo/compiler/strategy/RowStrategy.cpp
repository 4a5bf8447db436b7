//===- RowStrategy.cpp - Schedules of norms, softmaxes, reductions --------===//
//
// These are bound by memory: a row that the caches hold is read once from
// beyond them and written once. What is left to decide is where the lanes of a
// vector lie, and how much of a long row is looked at before the next.
//
//===----------------------------------------------------------------------===//

#include "boo/base/Math.h"
#include "boo/compiler/strategy/RowNest.h"
#include "boo/compiler/strategy/Strategy.h"
#include "boo/graph/Attributes.h"
#include "boo/ops/Rows.h"
#include "boo/ops/norm/NormOperands.h"

#include <algorithm>

using namespace boo;
using namespace boo::compiler;

/// Bytes of input and output of a grid tile: enough that finding its place
/// costs nothing, little enough that small tensors feed all cores.
static constexpr int64_t tileBytes = 32 << 10;
/// Up to here a second thread takes longer to wake than to help.
static constexpr int64_t serialBytes = 64 << 10;
/// Bytes that a part of a long reduction is worth, and parts at most.
static constexpr int64_t partBytes = 128 << 10;
static constexpr int64_t mostParts = 1024;
/// Grid tiles that feed all cores.
static constexpr int64_t mostTiles = 256;
/// Rows' elements that stand apart in memory in a part: their pages, and what
/// the next lanes read of them, are at hand.
static constexpr int64_t partSteps = 64;

namespace {

class RowModel {
public:
  RowModel(const Graph &group, const Target &target)
      : Group(group), Anchor(group.nodes().front()), TheTarget(target),
        Nest(makeRowNest(group)) {
    RegisterFile registers = registerFile(target.isa);
    S.algorithm = Algorithm::Rows;
    S.vectorBits = registers.bits;
    S.fma = registers.fma;
    Lanes = Nest.lanes(S.vectorBits);
  }

  Decision decide() {
    chooseLanes();
    chooseUnroll();
    if (!worksOnColumns(Group, S)) {
      chooseRowsTogether();
      chooseChunk();
      choosePrefetch();
      chooseScratch();
    }
    chooseRowParts();
    chooseGrid();
    if (sumsColumns(Group) || worksOnColumns(Group, S))
      chooseColumnParts();
    return {S, std::move(Why)};
  }

private:
  static std::string str(int64_t value) { return std::to_string(value); }
  int64_t inputStride(const RowAxis &axis) const {
    return axis.strides[Nest.input];
  }
  int64_t inputBytes() const {
    return dtypeBytes(Nest.operands[Nest.input].dtype);
  }
  /// Of the input's size: a gradient has two such operands.
  int64_t tensors() const {
    bool gradient = Anchor.op == Op::NormGrad || Anchor.op == Op::SoftmaxGrad ||
                    Anchor.op == Op::BatchNormGrad;
    return gradient ? 3 : 2;
  }
  int64_t rowsAtOnce() const { return S.dot ? 1 : Lanes; }

  void chooseLanes() {
    std::string what = "rows: " + std::string(opName(Anchor.op)) + " of " +
                       str(Nest.rowCount()) + " rows of " + str(Nest.length()) +
                       " elements, ";
    bool contiguous = inputStride(Nest.inner.back()) == 1 || Nest.length() == 1;
    bool rowsSide = !Nest.rows.empty() && inputStride(Nest.rows.back()) == 1;
    bool enoughRows = !Nest.rows.empty() && 2 * Nest.rows.back().size >= Lanes;
    S.dot = true;
    if (rowsSide && (!contiguous || (Nest.length() == 1 && enoughRows))) {
      S.dot = false;
      Why.push_back(what + "lanes over rows, which lie side by side");
    } else if (contiguous && enoughRows && Nest.inner.size() == 1 &&
               Nest.length() <= 2 * Lanes) {
      S.dot = false;
      Why.push_back(what + "lanes over rows: too short to fill vectors, " +
                    str(Lanes) + " at a time are transposed in registers");
    } else {
      Why.push_back(what + "lanes along a row" +
                    (contiguous ? ""
                                : ", element by element: neither rows nor "
                                  "their elements lie side by side"));
    }
  }

  /// Sums in as many registers as hide an addition's latency.
  void chooseUnroll() {
    S.kUnroll = TheTarget.isa == Isa::Generic ? 2 : 4;
    if (!S.dot && inputStride(Nest.rows.back()) != 1)
      S.kUnroll = std::min({Lanes, Nest.inner.back().size, int64_t(16)});
    if (!S.dot)
      S.kUnroll = std::min(S.kUnroll, Lanes);
  }

  /// Whether statistics come from two passes over rows that lie in memory in
  /// one stride.
  bool looksTwice() const {
    bool twice = Anchor.op == Op::Softmax ||
                 (Anchor.op == Op::Norm && !isRmsNorm(Anchor));
    return twice && S.dot && S.kChunk == 0 && Nest.inner.size() == 1 &&
           !Nest.rows.empty() && inputStride(Nest.inner.back()) == 1;
  }

  /// A short row's passes wait for each other's result over the lanes; other
  /// rows fill the time. Zen 3: rows of 16 to 64 elements 1.2 to 1.5 times as
  /// fast, of 128 to 640 1.04 to 1.28; of 1024, a page apart, 0.54. Softmaxes
  /// gain up to 384 elements (1.05 to 1.16), but 0.75 to 1.05 beyond a core's
  /// share of the L3 cache.
  void chooseRowsTogether() {
    bool softmax = Anchor.op == Op::Softmax;
    bool veryShort = Nest.length() <= 8 * Lanes;
    int64_t rowBytes = Nest.length() * dtypeBytes(Nest.compute);
    int64_t all = tensors() * Nest.rowCount() * Nest.length() * inputBytes();
    int64_t together = veryShort ? 4 : 2;
    if (!looksTwice() || rowBytes > (softmax ? 1536 : 2560) ||
        Nest.rowCount() < 2 * together ||
        (softmax && !veryShort && TheTarget.exceedsShareOfL3(double(all))))
      return;
    S.mTile = together;
    if (veryShort)
      S.kUnroll = std::min<int64_t>(S.kUnroll, 2);
    Why.push_back(str(S.mTile) +
                  " rows at a time: one's lanes are added up while elements of "
                  "the others are");
  }

  /// A pass over rows that the cache holds leaves memory idle, and the next
  /// rows' first pass would begin with a wait. Measured on Zen 4: single rows
  /// of 128 to 200 elements gain nothing.
  void choosePrefetch() {
    constexpr int64_t leastBytes = 1024;
    if (!looksTwice() || S.mTile * Nest.length() * inputBytes() < leastBytes)
      return;
    S.prefetch = 1;
    Why.push_back(S.mTile == 1 ? "the next row is prefetched while this one's "
                                 "is looked at again"
                               : "the next rows are prefetched while these are "
                                 "looked at again");
  }

  void chooseChunk() {
    int64_t room = TheTarget.l2Bytes / 2;
    int64_t rowBytes = Nest.length() * rowsAtOnce() * inputBytes();
    if (!restsInScratch(Anchor.op) || rowBytes <= room)
      return;
    int64_t chunk =
        std::max(leastRowChunk, TheTarget.l1Bytes / 2 / inputBytes() /
                                    rowsAtOnce() / Lanes * Lanes);
    if (Nest.inner.size() != 1 || chunk >= Nest.length()) {
      Why.push_back("several passes over rows that the cache does not hold");
      return;
    }
    S.kChunk = chunk;
    Why.push_back("rows in chunks of " + str(chunk) +
                  " elements, whose statistics are joined: a row is read "
                  "twice, a chunk stays in the cache");
  }

  void chooseScratch() {
    int64_t bytes = Nest.length() * rowsAtOnce() * dtypeBytes(Nest.compute);
    if (!restsInScratch(Anchor.op) || S.kChunk != 0 ||
        bytes > TheTarget.l2Bytes / 2)
      return;
    int64_t stride = inputStride(S.dot ? Nest.inner.back() : Nest.rows.back());
    bool exponentials =
        Anchor.op == Op::Softmax && !attribute<bool>(Anchor, "log");
    S.scratchInput = exponentials || (stride != 1 && Nest.length() != 1);
    if (S.scratchInput)
      Why.push_back(
          exponentials ? "exponentials rest in scratch until their sum is known"
                       : "a row rests in scratch between its passes");
  }

  int64_t unitCount() const {
    int64_t units = Nest.rowCount();
    if (!S.dot)
      units =
          units / Nest.rows.back().size * ceilDiv(Nest.rows.back().size, Lanes);
    return units;
  }

  /// Long rows are folded in parts: of few rows to feed all cores, of rows that
  /// lie side by side to stay in a few pages.
  void chooseRowParts() {
    int64_t units = unitCount(), steps = Nest.inner.front().size;
    int64_t unitBytes = Nest.length() * rowsAtOnce() * inputBytes();
    if (Anchor.op != Op::Reduce || units == 0 ||
        units * unitBytes <= 2 * partBytes)
      return;
    int64_t parts = S.dot ? std::min(mostTiles / units, unitBytes / partBytes)
                          : Nest.length() / partSteps;
    S.kParts = std::clamp<int64_t>(parts, 1, std::min(steps, mostParts));
    S.kParts = Nest.parts(S);
    if (S.kParts > 1)
      Why.push_back("rows in " + str(S.kParts) +
                    " parts, whose folds are joined in order");
  }

  void chooseGrid() {
    int64_t units = unitCount();
    int64_t unitBytes =
        tensors() * Nest.length() / S.kParts * rowsAtOnce() * inputBytes();
    S.wChunk = std::clamp<int64_t>(tileBytes / std::max<int64_t>(unitBytes, 1),
                                   1, std::max<int64_t>(units, 1));
    S.wChunk = ceilDiv(S.wChunk, S.mTile) * S.mTile;
    S.serial = S.kParts == 1 && units * unitBytes <= serialBytes;
    if (S.serial)
      Why.push_back("one grid tile: too little work to share");
    else if (!worksOnColumns(Group, S))
      Why.push_back("grid tiles of " + str(S.wChunk) +
                    (S.dot ? " rows" : " vectors of rows"));
  }

  /// Sums over the rows, for each column: independent sums in as many registers
  /// as hide an addition's latency, and parts that feed all cores.
  void chooseColumnParts() {
    constexpr int64_t tiles = 256, leastRows = 64;
    RowNest columns = makeColumnNest(Group);
    int64_t last = columns.inner.back().size, rows = columns.rowCount();
    // A batch norm's tensors that come from memory are read in runs as long as
    // registers allow, and written in whole rows.
    bool large = worksOnColumns(Group, S) &&
                 tensors() * inputBytes() * rows * columns.length() >
                     8 * TheTarget.l2Bytes;
    S.nVectors = std::clamp<int64_t>(ceilDiv(last, Lanes), 1,
                                     std::min<int64_t>(large ? 8 : 4, Lanes));
    int64_t blocks = columns.length() / (S.nVectors * Lanes) + 1;
    int64_t mostParts = std::clamp<int64_t>(tiles / blocks, 1, 64);
    int64_t partRows = std::max(leastRows, ceilDiv(rows, mostParts));
    // A batch norm reads a part twice: the cache should hold it.
    if (Anchor.op == Op::BatchNorm)
      partRows =
          std::min(partRows, std::max(leastRows,
                                      TheTarget.l2Bytes / 2 /
                                          (S.nVectors * Lanes * inputBytes())));
    partRows = std::max(partRows, ceilDiv(rows, mostColumnParts));
    S.kParts = S.serial ? 1 : std::max<int64_t>(1, ceilDiv(rows, partRows));
    if (worksOnColumns(Group, S)) {
      int64_t width = S.nVectors * Lanes;
      if (large && last > width) {
        S.nChunk = ceilDiv(last, width);
        width = last;
      }
      S.wChunk = std::clamp<int64_t>(
          tileBytes / (tensors() * width * inputBytes()), 1, rows);
    }
    Why.push_back("columns: " + str(S.nVectors) +
                  " vectors of them at a time, summed over the rows in " +
                  str(S.kParts) + (S.kParts == 1 ? " part" : " parts"));
  }

  const Graph &Group;
  const Node &Anchor;
  const Target &TheTarget;
  RowNest Nest;
  Schedule S;
  int64_t Lanes;
  std::vector<std::string> Why;
};

} // namespace

Decision boo::compiler::decideRows(const Graph &group, const Target &target) {
  return RowModel(group, target).decide();
}

Status boo::compiler::checkRowSchedule(const Graph &group,
                                       const Schedule &schedule) {
  RowNest nest = makeRowNest(group);
  int64_t lanes = nest.lanes(schedule.vectorBits);
  auto refuse = [](const std::string &why) {
    return invalidArgument("schedule: " + why);
  };
  if (!schedule.dot && nest.rows.empty())
    return refuse("dot=0 puts lanes over rows, and there is one row only");
  if (schedule.mTile != 1 &&
      (!schedule.dot || !passesAgain(group.nodes().front().op)))
    return refuse("m_tile needs dot=1 and rows of several passes");
  if (schedule.mTile * schedule.kUnroll > 64)
    return refuse("m_tile x k_unroll may be 64 at most: a round is unrolled");
  if (!schedule.dot && schedule.kUnroll > lanes)
    return refuse("k_unroll with dot=0 must be at most the " +
                  std::to_string(lanes) + " lanes of a vector");
  if (schedule.kChunk != 0) {
    if (schedule.kChunk < leastRowChunk)
      return refuse("k_chunk must be 0 or at least " +
                    std::to_string(leastRowChunk) + ", not " +
                    std::to_string(schedule.kChunk));
    if (nest.inner.size() != 1)
      return refuse("k_chunk needs rows that lie in memory in one stride");
    if (schedule.scratchInput)
      return refuse("k_chunk and scratch_input exclude each other");
  }
  if (schedule.scratchInput) {
    int64_t bytes =
        dtypeBytes(nest.compute) * (schedule.dot ? schedule.mTile : lanes);
    constexpr int64_t most = int64_t(1) << 30;
    if (nest.length() > most / bytes)
      return refuse("scratch_input=1 needs more than 1 GiB of scratch");
  }
  if (group.nodes().front().op == Op::Reduce && nest.parts(schedule) > 1) {
    double bytes = double(nest.parts(schedule)) * double(nest.rowCount()) *
                   double(lanes * dtypeBytes(nest.compute));
    if (bytes > double(int64_t(1) << 42))
      return refuse("k_parts=" + std::to_string(schedule.kParts) +
                    " needs more than 4 TiB of workspace");
  }
  if (sumsColumns(group) || worksOnColumns(group, schedule)) {
    constexpr int64_t most = int64_t(1) << 38;
    if (schedule.kParts > mostColumnParts)
      return refuse("k_parts must be at most " +
                    std::to_string(mostColumnParts));
    if (makeColumnNest(group).length() > most / schedule.kParts)
      return refuse("k_parts needs more than 4 TiB of workspace");
  }
  if (schedule.amx || schedule.pairs)
    return refuse("amx=1 and pairs=1 serve products only");
  return Status::ok();
}
