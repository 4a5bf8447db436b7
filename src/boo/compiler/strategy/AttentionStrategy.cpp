//===- AttentionStrategy.cpp - Schedules of attentions --------------------===//
//
// Both products of a block of keys share one register tile: keys by queries,
// then queries by columns of the values. What is left to decide is where the
// lanes of the scores lie, and how many keys are looked at before the sums are
// scaled anew.
//
//===----------------------------------------------------------------------===//

#include "boo/base/Math.h"
#include "boo/compiler/strategy/AttentionNest.h"
#include "boo/compiler/strategy/RegisterTile.h"
#include "boo/compiler/strategy/Strategy.h"

#include <algorithm>

using namespace boo;
using namespace boo::compiler;

/// Queries that one grid tile works on: keys and values are read once for them.
static constexpr int64_t tileRows = 64;
/// With lanes over the keys all rows are one register tile.
static constexpr int64_t mostDotRows = 16;
/// Up to here a second thread takes longer to wake than to help.
static constexpr double serialFlops = 1e6;

/// Why the lines of a gradient cannot be read in place, or "".
static std::string gradientNeedsCopy(const AttentionNest &nest) {
  const AttentionProblem &p = nest.problem;
  if (p.dtype != p.accType)
    return "they are widened";
  for (const AttentionNest::Side *side :
       {&nest.q, &nest.k, &nest.v, &nest.dout})
    if (side->column != 1)
      return "their elements do not lie side by side";
  return "";
}

namespace {

class AttentionModel {
public:
  AttentionModel(const Graph &group, const Target &target)
      : TheTarget(target), Nest(makeAttentionNest(group)), P(Nest.problem) {
    RegisterFile registers = registerFile(target.isa);
    S.algorithm = Algorithm::Attention;
    S.vectorBits = registers.bits;
    S.fma = registers.fma;
    Lanes = Nest.lanes(S.vectorBits);
  }

  Decision decide() {
    Why.push_back((P.isGradient ? "gradient of attention: " : "attention: ") +
                  str(Nest.outerCount()) + " times " + str(Nest.rows) +
                  " queries by " + str(P.keys) + " keys of " + str(P.depth) +
                  " and " + str(P.valueDepth) + " elements");
    S.dot = !P.isGradient && 2 * Nest.rows <= Lanes;
    if (S.dot)
      chooseDotTile();
    else
      chooseTile();
    if (P.isGradient)
      chooseGradientOperands();
    else
      chooseOperands();
    S.serial = P.flops() <= serialFlops;
    if (S.serial)
      Why.push_back("one grid tile: too little work to share");
    return {S, std::move(Why)};
  }

private:
  static std::string str(int64_t value) { return std::to_string(value); }

  /// Few rows: a key is read along its elements, once.
  void chooseDotTile() {
    S.mTile = Nest.rows;
    S.nVectors = 1;
    while (2 * S.nVectors * S.mTile <= std::min<int64_t>(16, Lanes * 2) &&
           2 * S.nVectors <= Lanes)
      S.nVectors *= 2;
    S.kChunk =
        std::clamp<int64_t>(TheTarget.l1Bytes / 4 / elementBytes(), Lanes, 512);
    Why.push_back("lanes along a key: " + str(Nest.rows) +
                  " queries do not fill a vector");
  }

  void chooseTile() {
    int64_t rows = std::min(tileRows, ceilDiv(Nest.mostRows(), Lanes) * Lanes);
    TileWork work{rows, P.valueDepth, std::min<int64_t>(P.keys, 256),
                  elementBytes()};
    RegisterTile best, widest;
    chooseRegisterTile(TheTarget, S.vectorBits, work, best, widest);
    S.mTile = best.m;
    S.nVectors = std::min(best.nVectors, rows / Lanes);
    S.wChunk = std::max<int64_t>(1, rows / Lanes);
    S.kUnroll = 2;
    // A strip of values stays in the L1 cache for all queries, what belongs to
    // a block of keys in the L2.
    int64_t strip = S.nVectors * Lanes * elementBytes();
    int64_t block = (P.depth + P.valueDepth + rows) * elementBytes();
    int64_t keys =
        std::min(TheTarget.l1Bytes / 2 / strip, TheTarget.l2Bytes / 2 / block);
    keys = std::clamp<int64_t>(keys, 2 * leastKeyBlock, 512);
    int64_t lines = Nest.mostLines();
    S.kChunk = ceilDiv(lines, ceilDiv(lines, keys));
    Why.push_back(
        "lanes over " + str(rows) +
        (P.isGradient ? " queries or keys, the others" : " queries, keys") +
        " in blocks of " + str(S.kChunk) + ", register tile " + str(S.mTile) +
        "x" + str(S.nVectors * Lanes));
  }

  void chooseOperands() {
    bool narrow = P.dtype != P.accType;
    // Rows a page apart fall into one set of the L1 cache.
    bool aliases =
        Nest.k.row * dtypeBytes(P.dtype) % 4096 == 0 && P.keys != 1 && !S.dot;
    bool apart = S.dot && P.depth != 1 && Nest.k.column != 1;
    S.scratchInput = (narrow && !S.dot) || aliases || apart;
    if (S.scratchInput)
      Why.push_back(std::string("a block of keys is copied to scratch: ") +
                    (narrow && !S.dot ? "it is widened"
                     : aliases        ? "its rows lie whole pages apart"
                                      : "its elements do not lie side by "
                                        "side"));
    S.filterInPlace = P.valueDepth == 1 || Nest.v.column == 1;
    Why.push_back(S.filterInPlace
                      ? "values are read where they lie"
                      : "a block of values is copied to scratch: its elements "
                        "do not lie side by side");
  }

  void chooseGradientOperands() {
    std::string reason = gradientNeedsCopy(Nest);
    S.scratchInput = !reason.empty();
    Why.push_back(reason.empty()
                      ? "operands are read where they lie"
                      : "blocks of operands are copied to scratch: " + reason);
  }

  int64_t elementBytes() const { return dtypeBytes(P.accType); }

  const Target &TheTarget;
  AttentionNest Nest;
  const AttentionProblem &P;
  Schedule S;
  int64_t Lanes;
  std::vector<std::string> Why;
};

} // namespace

Decision boo::compiler::decideAttention(const Graph &group,
                                        const Target &target) {
  return AttentionModel(group, target).decide();
}

Schedule boo::compiler::fitAttentionSchedule(const Graph &group,
                                             Schedule schedule) {
  AttentionNest nest = makeAttentionNest(group);
  int64_t lanes = nest.lanes(schedule.vectorBits);
  if (schedule.dot) {
    schedule.mTile = nest.rows;
    // Tiles of keys cut vectors of keys evenly.
    int64_t keys = 1;
    while (2 * keys <= std::min(schedule.nVectors, lanes))
      keys *= 2;
    schedule.nVectors = keys;
    schedule.wChunk = 1;
  } else {
    int64_t vectors = ceilDiv(nest.mostRows(), lanes);
    schedule.nVectors = std::min(schedule.nVectors, vectors);
    schedule.wChunk = std::min(schedule.wChunk, vectors);
    schedule.wChunk =
        ceilDiv(schedule.wChunk, schedule.nVectors) * schedule.nVectors;
    schedule.mTile = std::min(schedule.mTile, schedule.wChunk * lanes);
  }
  int64_t step = schedule.dot ? lanes : schedule.mTile;
  if (schedule.kChunk == 0 || schedule.kChunk > nest.mostLines())
    schedule.kChunk = nest.mostLines();
  schedule.kChunk = ceilDiv(schedule.kChunk, step) * step;
  return schedule;
}

static Status refuse(const std::string &why) {
  return invalidArgument("schedule: " + why);
}

/// Whether keys and values can be read as `schedule` says.
static Status checkOperands(const AttentionNest &nest,
                            const Schedule &schedule) {
  const AttentionProblem &p = nest.problem;
  if (!schedule.scratchInput) {
    if (p.dtype != p.accType && !schedule.dot)
      return refuse("scratch_input=0 cannot serve keys that are widened, "
                    "except with dot=1");
    if (schedule.dot && p.depth != 1 && nest.k.column != 1)
      return refuse("dot=1 needs scratch_input=1 for keys whose elements do "
                    "not lie side by side");
  }
  if (schedule.filterInPlace && p.valueDepth != 1 && nest.v.column != 1)
    return refuse("filter_in_place=1 cannot serve values whose elements do "
                  "not lie side by side");
  return Status::ok();
}

static Status checkGradientOperands(const AttentionNest &nest,
                                    const Schedule &schedule) {
  std::string reason = gradientNeedsCopy(nest);
  if (!schedule.scratchInput && !reason.empty())
    return refuse("scratch_input=0 cannot serve this gradient's operands: " +
                  reason);
  return Status::ok();
}

Status boo::compiler::checkAttentionSchedule(const Graph &group,
                                             const Schedule &asked) {
  AttentionNest nest = makeAttentionNest(group);
  if (asked.pairs)
    return refuse("pairs=1 does not serve attentions: their weights are f32");
  if (asked.dot && nest.problem.isGradient)
    return refuse("dot=1 does not serve gradients of attentions");
  if (asked.dot && nest.rows > mostDotRows)
    return refuse("dot=1 serves attentions of up to " +
                  std::to_string(mostDotRows) +
                  " queries that share keys, "
                  "not " +
                  std::to_string(nest.rows));
  Schedule schedule = fitAttentionSchedule(group, asked);
  if (schedule.kChunk < std::min(leastKeyBlock, nest.mostLines()))
    return refuse("k_chunk must be 0 or at least " +
                  std::to_string(leastKeyBlock));
  const AttentionProblem &p = nest.problem;
  BOO_RETURN_IF_ERROR(p.isGradient ? checkGradientOperands(nest, schedule)
                                   : checkOperands(nest, schedule));
  // All sums of a tile are unrolled.
  if (schedule.mTile * schedule.nVectors > 128)
    return refuse("m_tile * n_vectors must be at most 128");
  double rows = double(schedule.wChunk * nest.lanes(schedule.vectorBits));
  double keys = double(schedule.kChunk);
  double width = double(p.depth + p.valueDepth + 64);
  constexpr double most = double(int64_t(1) << 30);
  if (8 * (2 * rows * (keys + 2 * width) + 2 * keys * width) > most)
    return refuse("blocks of this size need more than 1 GiB of scratch");
  return Status::ok();
}
