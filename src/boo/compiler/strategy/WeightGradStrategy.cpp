//===- WeightGradStrategy.cpp - Schedules of filter gradients -------------===//
//
// The register tile holds sums of a few channels of one operand by vectors of
// channels of the other; which is which, and how long a part of the sum one
// grid tile takes, is decided here.
//
//===----------------------------------------------------------------------===//

#include "boo/base/Math.h"
#include "boo/compiler/strategy/EdgePixels.h"
#include "boo/compiler/strategy/RegisterTile.h"
#include "boo/compiler/strategy/Strategy.h"
#include "boo/compiler/strategy/WeightGradNest.h"

#include <algorithm>
#include <cmath>

using namespace boo;
using namespace boo::compiler;

namespace {

struct TileChoice {
  int64_t m = 0, nVectors = 0, bits = 0;
  bool lanesOverInput = false;
  double cost = 0;
};

/// Cycles of one step of the sum of an m x v tile.
double stepCost(int64_t m, int64_t v) {
  double multiply = 0.5 * double(m * v);
  double load = 0.5 * double(m + v);
  // Fewer than eight sums in flight wait for the multiplier's latency.
  return std::max({multiply, load, 4.0}) + 0.3 * double(v) + 0.02 * double(m);
}

/// Whether bf16 is multiplied in pairs of pixels: the dot product takes
/// denormals as zeros.
bool multipliesPairs(const WeightGradNest &nest, const Target &target,
                     std::string_view math) {
  const ConvProblem &p = nest.problem;
  return target.fastBf16Dot && math != "strict" && !nest.depthwise &&
         p.dtype == DType::BF16 && p.accType == DType::F32;
}

class WeightGradStrategy {
public:
  WeightGradStrategy(const WeightGradNest &nest, const Target &target,
                     std::string_view math)
      : Nest(nest), P(nest.problem), T(target), Math(math),
        Registers(registerFile(target.isa)),
        ElementBytes(dtypeBytes(P.accType)) {}

  Decision decide() {
    Schedule &s = Result.schedule;
    s.algorithm = Nest.depthwise ? Algorithm::Depthwise : Algorithm::Direct;
    s.fma = Registers.fma;
    s.pairs = multipliesPairs(Nest, T, Math);
    Result.why.push_back(
        Nest.depthwise
            ? "depthwise: one channel a group, so lanes run over channels"
            : std::string(Nest.mergesTaps ? "direct: for each row of taps"
                                          : "direct: for each tap") +
                  " a product of " + std::to_string(Nest.input.channels) +
                  " input by " + std::to_string(Nest.outGrad.channels) +
                  " output channels");
    if (Nest.depthwise)
      chooseDepthwiseTile();
    else
      chooseTile();
    s.scratchInput = Nest.mergesTaps || isWorthCopying();
    if (Nest.mergesTaps) {
      chooseWindows();
    } else if (s.scratchInput) {
      choosePieces();
    } else {
      explainPacking();
      chooseParts();
    }
    if (int64_t pixels = Nest.pixelsOfRow(s); pixels > 1 && !keepsWindows())
      s.kUnroll = unrolledSteps({s.mTile, s.nVectors}, Registers, pixels);
    s.serial = P.flops() < 5e5;
    if (s.serial)
      Result.why.push_back("one thread: " + std::to_string(int64_t(P.flops())) +
                           " operations are not worth waking another");
    return Result;
  }

private:
  void chooseTile() {
    TileChoice best;
    for (bool overInput : {false, true}) {
      int64_t n = Nest.lanes(overInput).channels;
      // Few channels fill short vectors better; those exist on every ISA.
      for (int64_t bits = Registers.bits; bits >= 128; bits /= 2) {
        if (bits != Registers.bits && n > bits / 8 / ElementBytes)
          break;
        chooseTile(overInput, bits, best);
      }
    }
    Schedule &s = Result.schedule;
    s.vectorBits = best.bits;
    s.mTile = best.m;
    s.nVectors = best.nVectors;
    s.lanesOverInput = best.lanesOverInput;
    Lanes = best.bits / 8 / ElementBytes;
    Result.why.push_back("tile " + std::to_string(best.m) +
                         (s.lanesOverInput ? " output" : " input") +
                         " channels x " +
                         std::to_string(best.nVectors * Lanes) +
                         (s.lanesOverInput ? " input" : " output") +
                         " channels: least waste, packing counted");
  }

  /// The taps of a row by vectors of channels: a pixel's gradient is read once
  /// for all of them, and what they meet in its row once for all pixels of a
  /// round.
  void chooseDepthwiseTile() {
    Schedule &s = Result.schedule;
    s.vectorBits = Registers.bits;
    Lanes = s.vectorBits / 8 / ElementBytes;
    int64_t taps = P.filter[2], vectors = ceilDiv(Nest.outGrad.channels, Lanes);
    auto [left, right] = edgePixels(P);
    bool few = taps > 1 && taps <= 9 && hasFewEdges(P);
    s.mTile = few ? taps : 1;
    // Wide tiles read longer runs of each pixel's channels.
    int64_t most = few ? std::max<int64_t>(1, 12 / taps) : 4;
    s.nVectors = std::min(vectors, most);
    if (few) {
      int64_t room = Registers.count - 2 - taps * s.nVectors;
      s.kUnroll = std::clamp<int64_t>(room / s.nVectors, 1, 8);
      s.kUnroll = std::min(s.kUnroll, P.out[2] - left - right);
    }
    Result.why.push_back(
        (few ? "tile of the " + std::to_string(taps) + " taps of a row"
             : std::string("tile of one tap")) +
        " x " + std::to_string(s.nVectors * Lanes) + " channels" +
        (few ? ", " + std::to_string(s.kUnroll) + " pixels a round" : ""));
  }

  void chooseTile(bool overInput, int64_t bits, TileChoice &best) {
    int64_t rows = Nest.rows(overInput).channels;
    int64_t n = Nest.lanes(overInput).channels;
    int64_t lanes = bits / 8 / ElementBytes;
    for (int64_t v = 1; v <= 4; ++v) {
      if (v > 1 && (v - 1) * lanes >= n)
        break;
      int64_t room = Registers.count - v - 1 - (Registers.fma ? 0 : 1);
      int64_t largest = std::min<int64_t>(room / v, rows);
      for (int64_t m = 1; m <= largest; ++m) {
        double cost = tileCost(overInput, m, v, lanes);
        if (best.m == 0 || cost < best.cost)
          best = {m, v, bits, overInput, cost};
      }
    }
  }

  /// Cycles of one group, packing included.
  double tileCost(bool overInput, int64_t m, int64_t v, int64_t lanes) const {
    const WeightGradNest::Side &laneSide = Nest.lanes(overInput);
    const WeightGradNest::Side &rowSide = Nest.rows(overInput);
    int64_t rows = rowSide.channels, n = laneSide.channels;
    int64_t restM = rows % m, restN = n % (v * lanes);
    int64_t restV = ceilDiv(restN, lanes);
    double cost = 0;
    for (auto [mCount, mSize] :
         {std::pair(rows / m, m), std::pair(int64_t(restM != 0), restM)})
      for (auto [nCount, nSize] : {std::pair(n / (v * lanes), v),
                                   std::pair(int64_t(restN != 0), restV)})
        if (mCount * nCount != 0)
          cost += double(mCount * nCount) * stepCost(mSize, nSize);
    const Schedule &s = Result.schedule;
    double steps = double(P.reduction()) / (s.pairs ? 2 : 1);
    cost *= double(Nest.taps(s)) * steps;
    // Sums whose lanes are apart in the filter are transposed, and stored by
    // masked or short vectors.
    cost += double(Nest.taps(s)) * double(rows) * double(ceilDiv(n, lanes)) *
            (laneSide.filterStride == 1 ? 1 : 10);
    // A copied vector costs a load, a store, and a share of a transpose; pairs
    // of the input are copied for each tap of a row.
    auto copies = [&](const WeightGradNest::Side &side) {
      return double(Nest.pixels(side)) * double(ceilDiv(side.channels, lanes)) *
             (s.pairs && side.isInput ? double(P.filter[2]) : 1);
    };
    if (Nest.mergesTaps) // one row of either is copied for many products
      return cost * (1.0 + 0.0001 * double(lanes));
    if (!Nest.lanesNeedPack(laneSide, lanes, s.pairs).empty())
      cost += 3.0 * copies(laneSide);
    if (!Nest.rowsNeedPack(rowSide, s.pairs).empty())
      cost += 2.0 * copies(rowSide);
    // At the same number of instructions shorter vectors win: some cores split
    // the long ones.
    return cost * (1.0 + 0.0001 * double(lanes));
  }

  /// Whether pixels of a round share vectors of their windows, which the
  /// compiler would keep in registers that the sums need.
  bool keepsWindows() const {
    const Schedule &s = Result.schedule;
    return Nest.mergesTaps && s.lanesOverInput &&
           s.nVectors * Lanes > P.stride[2] * P.inPerGroup() &&
           (s.mTile + 2) * s.nVectors >= Registers.count;
  }

  void explainPacking() {
    bool over = Result.schedule.lanesOverInput, pairs = Result.schedule.pairs;
    auto explain = [&](const WeightGradNest::Side &side, std::string reason) {
      std::string name = side.isInput ? "input" : "output gradient";
      Result.why.push_back(reason.empty() ? name + " in place"
                                          : name + " packed: " + reason);
    };
    explain(Nest.lanes(over),
            Nest.lanesNeedPack(Nest.lanes(over), Lanes, pairs));
    explain(Nest.rows(over), Nest.rowsNeedPack(Nest.rows(over), pairs));
  }

  /// Whether a tile's products take longer than copying what they read: few
  /// channels are used for few products.
  bool isWorthCopying() const {
    const Schedule &s = Result.schedule;
    if (!Nest.refusesScratch(s).empty())
      return false;
    // What would be packed and read but once had better stay in the L2 cache.
    const WeightGradNest::Side &side = Nest.lanes(s.lanesOverInput);
    int64_t packed = Nest.pixels(side) * side.channels * ElementBytes;
    if (!Nest.lanesNeedPack(side, Lanes, s.pairs).empty() &&
        Nest.taps(s) == 1 && Nest.rowCount(s) <= s.mTile &&
        T.exceedsShareOfL3(double(packed)))
      return true;
    int64_t rows = Nest.rowCount(s);
    double vectors = double(ceilDiv(side.channels, Lanes));
    double copies = 2.5 * (double(ceilDiv(rows, s.mTile)) + vectors);
    // Pixels that far apart share few sets of the L1 cache.
    constexpr int64_t farBytes = 1024;
    int64_t apart = std::max(Nest.input.strides.spatial[2],
                             Nest.outGrad.strides.spatial[2]);
    double share = apart * dtypeBytes(P.dtype) >= farBytes ? 0.3 : 0.1;
    return copies < share * double(rows) * vectors;
  }

  /// What a grid tile adds to rests in half of the L2 cache; the operands of a
  /// piece of the sum, which it copies, fill the other half, and those of a
  /// block of lanes half of the L1 cache. The squarer the tile, the less often
  /// an operand is read.
  void choosePieces() {
    Schedule &s = Result.schedule;
    int64_t blockChannels = s.nVectors * Lanes;
    int64_t rowTiles = ceilDiv(Nest.rowCount(s), s.mTile);
    int64_t blocks =
        ceilDiv(Nest.lanes(s.lanesOverInput).channels, blockChannels);
    auto fits = [](int64_t room, int64_t each, int64_t all) {
      int64_t pieces = std::max<int64_t>(1, (all * each + room / 2) / room);
      return ceilDiv(all, std::min(pieces, all));
    };
    int64_t steps = P.reduction(), half = T.l2Bytes / 2;
    int64_t blockPixels = T.l1Bytes / 2 / (blockChannels * ElementBytes);
    auto choose = [&](int64_t side) {
      s.wChunk = fits(side, s.mTile, rowTiles);
      s.nChunk = fits(side, blockChannels, blocks);
      int64_t channels = s.wChunk * s.mTile + s.nChunk * blockChannels;
      return std::min(blockPixels, half / (channels * ElementBytes));
    };
    int64_t pixels = choose(int64_t(std::sqrt(double(half / ElementBytes))));
    // The sums of a short one need not rest: most of the cache is the
    // operands'. Zen 3, 15 of 196 and 256 pixels: 1.12 times as fast.
    if (pixels < steps && steps <= blockPixels) {
      choose(T.l2Bytes * 13 / 16 / (2 * steps * ElementBytes));
      pixels = steps;
    }
    s.kChunk = ceilDiv(steps, ceilDiv(steps, std::max<int64_t>(pixels, 32)));
    int64_t tiles = Nest.groupLoops() * Nest.taps(s) *
                    ceilDiv(rowTiles, s.wChunk) * ceilDiv(blocks, s.nChunk);
    // Tiles of one part come one behind the other, and read the same operands.
    double bytes = double(steps) * double(ElementBytes) *
                   double(Nest.input.channels + Nest.outGrad.channels) *
                   double(Nest.groupLoops());
    int64_t forCache =
        tiles == 1
            ? 1
            : std::min(int64_t(bytes / (2 * double(T.l2Bytes))), steps / 1024);
    s.kParts =
        std::clamp<int64_t>(std::max(forCache, ceilDiv(4 * T.cores, tiles)), 1,
                            ceilDiv(steps, s.kChunk));
    // As many pieces in each part, where no rows are cut for that: then no part
    // ends long before the others.
    int64_t perPart = ceilDiv(ceilDiv(steps, s.kChunk), s.kParts);
    if (P.out[2] == steps)
      s.kChunk = ceilDiv(steps, s.kParts * perPart);
    Result.why.push_back(
        "tiles copy " + std::to_string(s.kChunk) + " pixels of " +
        std::to_string(std::min(s.wChunk * s.mTile, Nest.rowCount(s))) + " x " +
        std::to_string(std::min(s.nChunk * blockChannels,
                                Nest.lanes(s.lanesOverInput).channels)) +
        " channels at a time: " +
        (s.kChunk < steps ? "they and their sums stay" : "they stay") +
        " in the L2 cache");
    if (s.kParts > 1)
      Result.why.push_back("the sum of " + std::to_string(steps) +
                           " products in " + std::to_string(s.kParts) +
                           " parts: " + std::to_string(tiles) +
                           " tiles are few to share");
  }

  /// What a register tile reads of a piece of the sum fills half of the L1
  /// cache, what a grid tile does half of the L2 cache. The sums of all taps
  /// rest in a fourth of it.
  void chooseWindows() {
    Schedule &s = Result.schedule;
    bool over = s.lanesOverInput;
    int64_t block = s.nVectors * Lanes, steps = P.reduction();
    auto fits = [](int64_t room, int64_t each, int64_t all) {
      int64_t chunks = ceilDiv(all, std::clamp<int64_t>(room / each, 1, all));
      return ceilDiv(all, chunks);
    };
    int64_t rowTiles = ceilDiv(Nest.rowCount(s), s.mTile);
    int64_t blocks = ceilDiv(Nest.lanes(over).channels, block);
    int64_t sumBytes = Nest.taps(s) * Nest.input.channels * ElementBytes;
    s.wChunk =
        over ? fits(T.l2Bytes / 4, sumBytes * s.mTile, rowTiles) : rowTiles;
    s.nChunk = over ? blocks : fits(T.l2Bytes / 4, sumBytes * block, blocks);
    int64_t grads = over ? s.mTile : block;
    int64_t window = P.stride[2] * P.inPerGroup();
    int64_t most =
        std::max<int64_t>(1, T.l1Bytes / 2 / ((grads + window) * ElementBytes));
    // Sums of parts are stored and added once more.
    int64_t tiles = Nest.groupLoops() * ceilDiv(rowTiles, s.wChunk) *
                    ceilDiv(blocks, s.nChunk);
    double all = double(Nest.groupLoops() * Nest.taps(s)) *
                 double(Nest.input.channels * Nest.outGrad.channels);
    double image = double(Nest.pixels(Nest.input)) * double(P.inChannels) +
                   double(steps) * double(P.outChannels);
    // Groups share lines of the cache: all of them read a part before the next.
    int64_t forCache =
        P.groups == 1
            ? 1
            : int64_t(image * dtypeBytes(P.dtype) / (double(T.l2Bytes) / 2));
    int64_t forThreads = s.serial ? 1 : ceilDiv(4 * T.cores, tiles);
    int64_t worth = std::max<int64_t>(1, int64_t(image / (8 * all)));
    s.kParts = std::clamp<int64_t>(std::max(forCache, forThreads), 1, worth);
    auto bytes = [&] {
      return Nest.windowElements(Nest.cut(s).extent) * double(ElementBytes);
    };
    s.kChunk = ceilDiv(steps, std::max(s.kParts, ceilDiv(steps, most)));
    while (s.kChunk > 1 && bytes() > double(T.l2Bytes) / 4)
      s.kChunk = ceilDiv(s.kChunk, 2);
    s.kParts = Nest.cut(s).parts();
    Result.why.push_back(
        "taps of a row as channels of a copy: " + std::to_string(s.kChunk) +
        " pixels of the sum at a time, in " + std::to_string(s.kParts) +
        " parts");
  }

  /// The sum is cut where its operands leave their part of the L2 cache, and
  /// where the tiles of the grid would be too few for the threads of a large
  /// machine.
  void chooseParts() {
    Schedule &s = Result.schedule;
    bool over = s.lanesOverInput;
    const WeightGradNest::Side &laneSide = Nest.lanes(over);
    int64_t rows = Nest.rowCount(s), steps = P.reduction();
    int64_t blocks = ceilDiv(laneSide.channels, s.nVectors * Lanes);
    int64_t rowTiles = ceilDiv(rows, s.mTile);
    int64_t tiles = Nest.groupLoops() * blocks * Nest.taps(s);
    int64_t want = 4 * T.cores;
    s.wChunk = tiles >= want ? rowTiles
                             : std::max<int64_t>(1, rowTiles * tiles / want);
    tiles *= ceilDiv(rowTiles, s.wChunk);

    bool narrow = s.pairs || Nest.depthwise; // not widened
    double bytes = double(narrow ? dtypeBytes(P.dtype) : ElementBytes) *
                   (double(Nest.pixels(laneSide)) * double(s.nVectors * Lanes) +
                    double(Nest.pixels(Nest.rows(over))) *
                        double(Nest.depthwise ? s.nVectors * Lanes : rows));
    // A part's sums are stored and added once more: that must be little beside
    // the sums themselves.
    // A depthwise product uses an element few times: its operands stay close.
    double budget = double(T.l2Bytes) / (Nest.depthwise ? 8 : 2);
    int64_t forCache = std::min<int64_t>(int64_t(bytes / budget), steps / 512);
    int64_t forThreads = std::min(ceilDiv(want, tiles), steps / 256);
    double sums = double(ElementBytes) * double(Nest.groupLoops()) *
                  double(blocks * s.nVectors * Lanes) * double(rows) *
                  double(Nest.taps(s));
    constexpr double mostBytes = double(int64_t(128) << 20);
    int64_t most = std::max<int64_t>(1, int64_t(mostBytes / sums));
    s.kParts = std::clamp<int64_t>(std::max(forCache, forThreads), 1, most);
    if (s.serial)
      s.kParts = 1;
    if (s.kParts > 1)
      Result.why.push_back(
          "the sum of " + std::to_string(steps) + " products in " +
          std::to_string(s.kParts) + " parts: " +
          (forCache >= forThreads
               ? "its operands exceed their part of the L2 cache"
               : std::to_string(tiles) + " tiles are few to share"));
  }

  const WeightGradNest &Nest;
  const ConvProblem &P;
  const Target &T;
  std::string_view Math;
  RegisterFile Registers;
  int64_t ElementBytes, Lanes = 1;
  Decision Result;
};

} // namespace

Decision boo::compiler::decideWeightGrad(const Graph &group,
                                         const Target &target,
                                         std::string_view math) {
  WeightGradNest nest = makeWeightGradNest(group);
  if (!multipliesPairs(nest, target, math))
    if (auto merged = withMergedTaps(nest))
      nest = std::move(*merged);
  return WeightGradStrategy(nest, target, math).decide();
}

Schedule boo::compiler::fitWeightGradSchedule(const Graph &group,
                                              Schedule schedule) {
  WeightGradNest nest = makeWeightGradNest(group, schedule);
  int64_t rows = nest.rowCount(schedule);
  schedule.mTile = std::min(schedule.mTile, rows);
  schedule.wChunk = std::min(schedule.wChunk, ceilDiv(rows, schedule.mTile));
  int64_t lanes = schedule.vectorBits / 8 / dtypeBytes(nest.problem.accType);
  const WeightGradNest::Side &laneSide = nest.lanes(schedule.lanesOverInput);
  int64_t blocks = ceilDiv(laneSide.channels,
                           std::max<int64_t>(1, schedule.nVectors * lanes));
  schedule.nChunk = std::min(schedule.nChunk, blocks);
  // As many parts as the pieces make, which cut the same way again.
  for (int64_t wanted = 0; wanted != schedule.kParts;) {
    wanted = schedule.kParts;
    schedule.kParts = nest.cut(schedule).parts();
  }
  return schedule;
}

Status boo::compiler::checkWeightGradSchedule(const Graph &group,
                                              const Target &target,
                                              const Schedule &schedule) {
  WeightGradNest nest = makeWeightGradNest(group, schedule);
  int64_t bits = 8 * dtypeBytes(nest.problem.accType);
  if (schedule.vectorBits < bits)
    return invalidArgument("schedule: vector_bits must be at least " +
                           std::to_string(bits));
  if (schedule.mTile * schedule.nVectors > 64)
    return invalidArgument("schedule: m_tile x n_vectors may be 64 at most: "
                           "the tile is unrolled");
  if (schedule.mTile * schedule.nVectors * schedule.kUnroll > 256)
    return invalidArgument("schedule: m_tile x n_vectors x k_unroll may be 256 "
                           "at most");
  if (schedule.amx)
    return invalidArgument("schedule: amx=1 serves no filter's gradient");
  const ConvProblem &p = nest.problem;
  if (schedule.pairs &&
      (!target.fastBf16Dot || p.dtype != DType::BF16 || nest.depthwise ||
       p.accType != DType::F32 || schedule.vectorBits < 128))
    return invalidArgument("schedule: pairs=1 needs a dense bf16 convolution, "
                           "a target with bf16dot=1 and vector_bits of at "
                           "least 128");
  if (std::string reason = nest.refusesScratch(schedule);
      schedule.scratchInput && !reason.empty())
    return invalidArgument("schedule: scratch_input=1: " + reason);
  if (schedule.kChunk != 0 && !schedule.scratchInput)
    return invalidArgument("schedule: k_chunk of a filter's gradient needs "
                           "scratch_input=1");
  constexpr int64_t mostScratch = int64_t(64) << 20;
  int64_t lanes = schedule.vectorBits / bits * schedule.nVectors;
  double copied =
      double(bits / 8) * double(nest.cut(schedule).pixels()) *
      double(schedule.nChunk * lanes + schedule.wChunk * schedule.mTile);
  if (nest.mergesTaps)
    copied += double(bits / 8) * nest.windowElements(nest.cut(schedule).extent);
  if (schedule.scratchInput && copied > double(mostScratch))
    return invalidArgument("schedule: a tile of scratch_input=1 would copy "
                           "more than 64 MiB: lower k_chunk, n_chunk or "
                           "w_chunk, or raise k_parts");
  if (nest.depthwise && schedule.mTile > 1 &&
      (schedule.mTile < p.filter[2] || !hasFewEdges(p)))
    return invalidArgument("schedule: m_tile of a depthwise filter's gradient "
                           "is 1 or, where few pixels are at the edges, the "
                           "taps of a row");
  if (schedule.lanesOverInput && nest.depthwise)
    return invalidArgument("schedule: lanes_over_input=1 means nothing for a "
                           "depthwise convolution");
  return Status::ok();
}
