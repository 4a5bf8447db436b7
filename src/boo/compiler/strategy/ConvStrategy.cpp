//===- ConvStrategy.cpp - Schedules of convolutions -----------------------===//
//
// A small cost model chooses the register tile; cache sizes choose what one
// grid tile holds. Costs are cycles of an imagined core with two multiply-add
// and two load ports: only their order matters.
//
//===----------------------------------------------------------------------===//

#include "boo/base/Math.h"
#include "boo/compiler/strategy/ConvNest.h"
#include "boo/compiler/strategy/RegisterTile.h"
#include "boo/compiler/strategy/Strategy.h"
#include "boo/compiler/strategy/WinogradStrategy.h"
#include "boo/ops/conv/Winograd.h"

#include <algorithm>

using namespace boo;
using namespace boo::compiler;

namespace {

class ConvStrategy {
public:
  ConvStrategy(const ConvNest &nest, const Target &target,
               std::string_view math)
      : Nest(nest), P(nest.problem), T(target), Math(math),
        Registers(registerFile(target.isa)),
        ElementBytes(dtypeBytes(nest.computeType())) {}

  Decision decide() {
    Schedule &s = Result.schedule;
    s.algorithm = Nest.depthwise ? Algorithm::Depthwise : Algorithm::Direct;
    s.fma = Registers.fma;
    Result.why.push_back(
        Nest.depthwise
            ? "depthwise: one channel a group, so lanes run over channels"
            : "direct: products of " + std::to_string(Nest.kChannels()) +
                  " channels for each tap");
    if (!Nest.depthwise)
      Result.why.push_back(
          "not depthwise: a group has " + std::to_string(P.inPerGroup()) +
          " input and " + std::to_string(P.outPerGroup()) +
          " output channels, and lanes run over channels only for one and one");
    if (wantsAmx())
      chooseAmxTile();
    else
      chooseTile();
    if (!Result.schedule.amx && wantsDot()) {
      Result.schedule.dot = true;
      ElementBytes = 2;
    }
    chooseInput();
    chooseChunks();
    chooseSharing();
    return Result;
  }

private:
  /// Whether a matrix unit serves this group: it multiplies bf16, 32 channels
  /// at a time, so few channels would be mostly zeros.
  bool wantsAmx() {
    if (P.dtype != DType::BF16 || Nest.depthwise)
      return false;
    if (T.isa != Isa::Amx) {
      Result.why.push_back("no amx: the target is " +
                           std::string(isaName(T.isa)));
      return false;
    }
    bool fits = 2 * Nest.kChannels() >= ceilDiv(Nest.kChannels(), 32) * 32;
    Result.why.push_back(
        fits ? "amx: bf16 products by matrix unit, which takes denormal "
               "operands as zeros"
             : "no amx: " + std::to_string(Nest.kChannels()) +
                   " channels would fill less than half of its tiles");
    return fits;
  }

  /// Whether the vector unit multiplies bf16 pairs: like the matrix unit it
  /// takes denormals as zeros, which strict mathematics does not allow.
  bool wantsDot() {
    if (P.dtype != DType::BF16 || Nest.depthwise)
      return false;
    std::string reason = !T.fastBf16Dot ? "the target has no fast one"
                         : Math == "strict"
                             ? "strict mathematics keeps denormals"
                         : Nest.kChannels() < 2 ? "one channel makes no pairs"
                                                : "";
    Result.why.push_back(
        reason.empty() ? "dot: bf16 products in pairs, which take denormal "
                         "operands and sums as zeros"
                       : "no bf16 dot product: " + reason);
    return reason.empty();
  }

  /// Sums, A and B in eight tiles: 2 x 2, or 1 x 3 for short rows.
  void chooseAmxTile() {
    Schedule &s = Result.schedule;
    s.amx = true;
    s.vectorBits = 512;
    Lanes = 16;
    ElementBytes = 2;
    bool shortRow = P.out[2] <= 16;
    s.mTile = shortRow ? 16 : 32;
    s.nVectors =
        std::min<int64_t>(shortRow ? 3 : 2, ceilDiv(Nest.nExtent(), Lanes));
    Result.why.push_back("tile " + std::to_string(s.mTile) + " pixels x " +
                         std::to_string(s.nVectors * Lanes) +
                         " channels: sums, A and B fill the eight tiles");
  }

  void chooseTile() {
    RegisterTile best, widest;
    TileWork work{P.out[2], Nest.nExtent(), P.reduction(), ElementBytes};
    // Few channels fill short vectors better; those exist on every ISA.
    for (int64_t bits = Registers.bits; bits >= 128; bits /= 2) {
      if (bits != Registers.bits && Nest.nExtent() > bits / 8 / ElementBytes)
        break;
      chooseRegisterTile(T, bits, work, best, widest);
    }
    Schedule &s = Result.schedule;
    s.vectorBits = best.bits;
    Lanes = best.bits / 8 / ElementBytes;
    s.mTile = best.m;
    s.nVectors = best.nVectors;
    Result.why.push_back(
        "tile " + std::to_string(best.m) + " pixels x " +
        std::to_string(best.nVectors * Lanes) + " channels: least waste for " +
        std::to_string(P.out[2]) + " pixels and " +
        std::to_string(Nest.nExtent()) +
        " channels; the largest tile that fits, " + std::to_string(widest.m) +
        " x " +
        std::to_string(widest.nVectors * widest.bits / 8 / ElementBytes) +
        ", costs " + std::to_string(int64_t(100 * widest.cost / best.cost)) +
        " %");
  }

  void chooseInput() {
    std::string reason = Nest.needsScratch(Result.schedule.pairs());
    if (Result.schedule.amx)
      scratch("the matrix unit reads whole tiles, zeros included");
    else if (!reason.empty())
      scratch(reason);
    else if (!Nest.depthwise && P.inStrides.channel != 1 &&
             Nest.nExtent() > 4 * Lanes)
      scratch("its channels are far apart and each is read for " +
              std::to_string(Nest.nExtent()) + " outputs");
    else if (Result.schedule.mTile > 8 &&
             P.stride[2] * P.inStrides.spatial[2] * ElementBytes % 4096 == 0)
      scratch("its columns are a multiple of 4096 bytes apart and would share "
              "one set of the L1 cache");
    else
      Result.why.push_back("input in place: no padding along a row, and its "
                           "type is the one computed in");
  }

  void scratch(const std::string &reason) {
    Result.schedule.scratchInput = true;
    Result.why.push_back("input rows in scratch: " + reason);
  }

  void chooseChunks() {
    Schedule &s = Result.schedule;
    int64_t blockChannels = s.nVectors * Lanes;
    int64_t blocks = ceilDiv(Nest.nExtent(), blockChannels);
    int64_t blockBytes = P.reduction() * blockChannels * ElementBytes;
    if (Nest.depthwise) {
      // The filter is small; a chunk of channels keeps rows in the L1 cache.
      int64_t rowBytes = P.filter[0] * P.filter[1] * blockChannels *
                         ElementBytes *
                         ((P.out[2] - 1) * P.stride[2] + P.filter[2]);
      s.nChunk = std::clamp<int64_t>(T.l1Bytes / std::max<int64_t>(1, rowBytes),
                                     1, blocks);
    } else {
      int64_t fit = std::max<int64_t>(1, T.l2Bytes * 5 / 8 /
                                             std::max<int64_t>(1, blockBytes));
      int64_t chunks = ceilDiv(blocks, fit);
      s.nChunk = ceilDiv(blocks, chunks);
      s.filterOuter = chunks > 1;
      Result.why.push_back(
          s.filterOuter
              ? "filter outermost, " + std::to_string(s.nChunk) + " of " +
                    std::to_string(blocks) +
                    " blocks at a time: all of them exceed the L2 cache"
              : "input outermost: all " + std::to_string(blocks) +
                    " filter blocks fit the L2 cache");
    }
    chooseRow(blockChannels);
  }

  /// To wake a second thread and wait for it takes about as long as this.
  void chooseSharing() {
    Result.schedule.serial = P.flops() < 5e5;
    if (Result.schedule.serial)
      Result.why.push_back("one thread: " + std::to_string(int64_t(P.flops())) +
                           " operations are not worth waking another");
  }

  void chooseRow(int64_t blockChannels) {
    Schedule &s = Result.schedule;
    int64_t tiles = ceilDiv(P.out[2], s.mTile);
    int64_t channels =
        Nest.depthwise ? s.nChunk * blockChannels : Nest.kChannels();
    int64_t tileBytes = s.mTile * P.stride[2] * channels * ElementBytes;
    int64_t taps = P.filter[0] * P.filter[1];
    // Rows shared by several taps are worth keeping whole in the L2 cache; a
    // lone row only has to stay in the L1 cache while the blocks go by.
    bool lone = taps * P.filter[2] == 1;
    int64_t budget = lone ? T.l1Bytes / 2 : T.l2Bytes / 4 / taps;
    s.wChunk =
        std::clamp<int64_t>(budget / std::max<int64_t>(1, tileBytes), 1, tiles);
    // Enough grid tiles for the threads of a large machine to share.
    int64_t rows = P.batch * P.out[0] * P.out[1] * Nest.groupLoops();
    while (s.wChunk > 1 && rows * ceilDiv(tiles, s.wChunk) < 4 * T.cores)
      s.wChunk = ceilDiv(s.wChunk, 2);
    s.wChunk = ceilDiv(tiles, ceilDiv(tiles, s.wChunk));
  }

  const ConvNest &Nest;
  const ConvProblem &P;
  const Target &T;
  std::string_view Math;
  RegisterFile Registers;
  int64_t ElementBytes, Lanes = 1;
  Decision Result;
};

} // namespace

StatusOr<Decision> boo::compiler::decideConv(const Graph &group,
                                             const Target &target,
                                             const Mode &mode,
                                             std::optional<Algorithm> asked) {
  ConvNest nest = makeConvNest(group);
  Decision direct = ConvStrategy(nest, target, mode.math).decide();
  if (asked == direct.schedule.algorithm)
    return direct;
  bool filterIsFree =
      mode.constantsPacked && group.value(nest.filter).role == Role::Constant;
  return weighWinograd(nest, target, mode.math, filterIsFree, std::move(direct),
                       asked);
}

Schedule boo::compiler::fitConvSchedule(const Graph &group, Schedule schedule) {
  ConvNest nest = makeConvNest(group);
  int64_t width = nest.problem.out[2];
  if (int64_t tile = winogradTile(algorithmName(schedule.algorithm)))
    width = winogradTiles(nest.problem, tile);
  int64_t lanes = schedule.vectorBits / (8 * dtypeBytes(nest.computeType()));
  // A matrix unit takes whole tiles.
  if (!schedule.amx)
    schedule.mTile = std::min(schedule.mTile, width);
  schedule.wChunk = std::min(schedule.wChunk, ceilDiv(width, schedule.mTile));
  schedule.nChunk = std::min(
      schedule.nChunk, ceilDiv(nest.nExtent(), schedule.nVectors * lanes));
  return schedule;
}

Status boo::compiler::checkConvSchedule(const Graph &group,
                                        const Target &target,
                                        const Schedule &schedule) {
  ConvNest nest = makeConvNest(group);
  int64_t bits = 8 * dtypeBytes(nest.computeType());
  int64_t vector = schedule.vectorBits;
  auto refuse = [](std::string reason) {
    return invalidArgument("schedule: " + std::move(reason));
  };
  if (vector < bits)
    return refuse("vector_bits must be at least " + std::to_string(bits));
  if (schedule.mTile * schedule.nVectors > 64)
    return refuse("m_tile x n_vectors may be 64 at most: the tile is unrolled");
  if (schedule.mTile * schedule.nVectors * schedule.kUnroll > 256)
    return refuse("m_tile x n_vectors x k_unroll may be 256 at most");
  if (isWinograd(schedule.algorithm)) {
    if (vector < 128)
      return refuse("vector_bits must be at least 128 for winograd");
    if (nest.problem.inStrides.channel != 1 && !schedule.scratchInput)
      return refuse("scratch_input=0 cannot serve this input: its channels are "
                    "not contiguous");
    return Status::ok();
  }
  if (schedule.amx) {
    int64_t rows = ceilDiv(schedule.mTile, 16), columns = schedule.nVectors;
    if (target.isa != Isa::Amx || nest.problem.dtype != DType::BF16 ||
        nest.depthwise)
      return refuse("amx=1 needs a dense bf16 convolution and the target amx");
    if (!schedule.scratchInput || vector != 512 || schedule.mTile % 16 != 0 ||
        rows * columns + rows + columns > 8)
      return refuse(
          "amx=1 needs scratch_input=1, vector_bits=512 and an m_tile "
          "of 16 or 32 whose sums, A and B fit eight tiles");
  }
  if (schedule.dot &&
      (!target.fastBf16Dot || nest.problem.dtype != DType::BF16 ||
       nest.depthwise || schedule.amx || vector < 128))
    return refuse("dot=1 needs a dense bf16 convolution, a target with "
                  "bf16dot=1, vector_bits of at least 128 and no amx");
  if (std::string reason = nest.needsScratch(schedule.pairs());
      !reason.empty() && !schedule.scratchInput)
    return refuse("scratch_input=0 cannot serve this input: " + reason);
  return Status::ok();
}
