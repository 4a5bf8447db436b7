//===- ConvStrategy.cpp - Schedules of implicit products ------------------===//
//
// A small cost model chooses the register tile; cache sizes choose what one
// grid tile holds. Costs are cycles of an imagined core with two multiply-add
// and two load ports: only their order matters.
//
//===----------------------------------------------------------------------===//

#include "boo/base/Math.h"
#include "boo/compiler/strategy/ConvGrid.h"
#include "boo/compiler/strategy/RegisterTile.h"
#include "boo/compiler/strategy/Strategy.h"

#include <algorithm>

using namespace boo;
using namespace boo::compiler;

namespace {

class ConvStrategy {
public:
  ConvStrategy(const ConvNest &nest, const Target &target,
               std::string_view math, const NestBounds &bounds)
      : Nest(nest), P(nest.problem), W(nest.words), T(target), Math(math),
        Bounds(bounds), Registers(registerFile(target.isa)),
        ElementBytes(dtypeBytes(nest.computeType())) {}

  Decision decide() {
    Schedule &s = Result.schedule;
    s.algorithm = Nest.depthwise ? Algorithm::Depthwise : Algorithm::Direct;
    s.fma = Registers.fma;
    Result.why = Nest.describe();
    if (Bounds.fed ||
        (!chooseDotTile() && !chooseFewTile() && !chooseStreamTile())) {
      if (wantsAmx()) {
        chooseAmxTile();
      } else {
        chooseTile();
        chooseFilter();
        choosePairs();
      }
    }
    chooseInput();
    if (Bounds.fed)
      return Result;
    readInOrder();
    chooseConvGrid(Nest, T, Bounds, {Lanes, ElementBytes}, Result);
    return Result;
  }

private:
  void filterInPlace(const std::string &reason) {
    Result.schedule.filterInPlace = true;
    Result.why.push_back(std::string(W.filter) + " in place: " + reason);
  }
  std::string passes() const {
    return "it is read for " + std::to_string(Nest.pixels()) + " " + W.pixels +
           " only";
  }

  /// A filter whose reduction lies in one run, used for few pixels: packing
  /// would transpose all of it, so lanes run over the reduction instead.
  bool chooseDotTile() {
    constexpr int64_t mostPixels = 8;
    if (!canDot() || Nest.pixels() > mostPixels)
      return false;
    // Registers: the sums, a vector of each pixel, one of the filter, and
    // without fused multiply-add one product.
    int64_t m = P.out[2];
    int64_t room = Registers.count - m - 1 - (Registers.fma ? 0 : 1);
    int64_t n = std::clamp<int64_t>(room / m, 1, 8);
    filterInPlace(passes() + ", and its reduction is contiguous");
    dotTile(m, std::min(n, Nest.nExtent()), "lanes");
    return true;
  }

  /// A handful of outputs of each pixel would leave most lanes idle; where
  /// input and filter both have their channels side by side, lanes run over
  /// these instead.
  bool chooseFewTile() {
    int64_t n = Nest.nExtent();
    if (!canDot() || P.inStrides.channel != 1 || 4 * n > fullLanes())
      return false;
    filterInPlace("its reduction is contiguous");
    // More pixels at a time are read less in order, which far memory minds.
    bool far =
        ElementBytes == dtypeBytes(P.dtype) && T.exceedsShareOfL3(P.bytes());
    int64_t m = far ? 1 : std::min(std::clamp<int64_t>(8 / n, 1, 4), P.out[2]);
    dotTile(std::max<int64_t>(m, 1), n,
            "so few would leave most lanes idle; they");
    return true;
  }

  int64_t fullLanes() const { return Registers.bits / 8 / ElementBytes; }
  bool canDot() const {
    return Nest.needsPacking(true).empty() && Nest.kChannels() >= fullLanes();
  }

  void dotTile(int64_t m, int64_t n, const std::string &lanes) {
    Schedule &s = Result.schedule;
    s.dot = true;
    s.vectorBits = Registers.bits;
    Lanes = fullLanes();
    s.mTile = m;
    s.nVectors = n;
    Result.why.push_back("tile " + std::to_string(m) + " " + W.pixels + " x " +
                         std::to_string(n) + " " + W.channels + ": " + lanes +
                         " run over the reduction and are added up at its end");
  }

  /// A filter with contiguous channels, used for few pixels: memory is what
  /// counts, and the wider the tile, the longer the runs that are read.
  bool chooseStreamTile() {
    if (!Nest.needsPacking(false).empty() || Nest.pixels() > streamPixels)
      return false;
    Schedule &s = Result.schedule;
    s.vectorBits = Registers.bits;
    Lanes = fullLanes();
    s.mTile = P.out[2];
    int64_t room = Registers.count - 2 - (Registers.fma ? 0 : 1);
    int64_t most = std::min<int64_t>(room / (s.mTile + 1), 16);
    int64_t vectors = ceilDiv(Nest.nExtent(), Lanes);
    s.nVectors = ceilDiv(vectors, ceilDiv(vectors, most));
    constexpr int64_t few = 8;
    if (vectors > most && Nest.kChannels() >= 2 * few) {
      // Even the widest tile reads scraps of such rows, a page or more apart.
      // A few whole rows at a time, and the sums rest in the L1 cache.
      s.kChunk = s.kUnroll = few;
      s.nVectors = std::min<int64_t>(most, 4);
      filterInPlace(passes());
      Result.why.push_back(
          "tile " + std::to_string(s.mTile) + " " + W.pixels + " x " +
          std::to_string(s.nVectors * Lanes) + " " + W.channels +
          ": along 8 rows of memory at a time, sums rest in the L1 cache");
      return true;
    }
    // Shorter ones if the threads of a large machine would go without.
    while (s.nVectors > 4 &&
           Nest.groupLoops() * ceilDiv(vectors, s.nVectors) < T.cores)
      s.nVectors = ceilDiv(s.nVectors, 2);
    filterInPlace(passes());
    Result.why.push_back("tile " + std::to_string(s.mTile) + " " + W.pixels +
                         " x " + std::to_string(s.nVectors * Lanes) + " " +
                         W.channels + ": long runs of memory");
    return true;
  }

  /// Packing reads the filter, writes it, and reads it again.
  void chooseFilter() {
    Schedule &s = Result.schedule;
    bool canChunk = Nest.matmul && !Nest.depthwise;
    // As long as a few tiles' rows stay in the L2 cache whole, they need not be
    // copied again for the next columns, and sums not rest between chunks; but
    // few rows would read all of the filter, and few columns all of the rows,
    // for little work.
    constexpr int64_t chunk = 512, fewTiles = 18, fewBlocks = 16;
    bool few = ceilDiv(P.out[2], s.mTile) < fewTiles ||
               ceilDiv(Nest.nExtent(), s.nVectors * Lanes) < fewBlocks;
    // A filter that few rows in the L2 cache would read from memory is read by
    // more of them in chunks.
    constexpr int64_t fewWholeTiles = 8, largeFilter = int64_t(4) << 20;
    int64_t tileBytes = s.mTile * Nest.kChannels() * ElementBytes;
    bool streams =
        T.l2Bytes * 3 / 8 < fewWholeTiles * tileBytes &&
        Nest.kChannels() * Nest.nExtent() * ElementBytes > largeFilter;
    if (canChunk && Nest.kChannels() > (few ? 3 : streams ? 2 : 16) * chunk)
      s.kChunk = ceilDiv(Nest.kChannels(), ceilDiv(Nest.kChannels(), chunk));
    std::string reason = Nest.needsPacking(false);
    if (!reason.empty()) {
      if (Nest.matmul)
        Result.why.push_back(std::string(W.filter) + " packed: " + reason);
      return;
    }
    constexpr int64_t fewRows = 64;
    if (canChunk && Nest.kChannels() >= 2 * fewRows &&
        Nest.pixels() <= 8 * s.mTile) {
      s.kChunk = fewRows;
      return filterInPlace(std::to_string(fewRows) +
                           " of its rows at a time stay in the cache while " +
                           std::to_string(Nest.pixels()) + " " + W.pixels +
                           " pass");
    }
    if (ceilDiv(Nest.pixels(), s.mTile) <= 2)
      return filterInPlace(passes());
    // Rows a page apart fall into few sets of the cache.
    int64_t row = P.filterStrides.channel * dtypeBytes(P.dtype);
    bool aliases = row % 4096 == 0 && Nest.kChannels() > 256;
    if (P.dtype == Nest.computeType() && !aliases &&
        Nest.kChannels() * row <= T.l2Bytes / 2)
      return filterInPlace("all of it stays in the L2 cache as it lies");
    Result.why.push_back(std::string(W.filter) +
                         " packed: read many times, it would cross the cache "
                         "in pieces");
  }

  /// Whether a matrix unit serves this group: it multiplies bf16, 32 channels
  /// at a time, so few channels would be mostly zeros.
  bool wantsAmx() {
    if (P.dtype != DType::BF16 || Nest.depthwise)
      return false;
    auto no = [&](const std::string &reason) {
      Result.why.push_back("no amx: " + reason);
      return false;
    };
    if (T.isa != Isa::Amx)
      return no("the target is " + std::string(isaName(T.isa)));
    if (Math == "strict")
      return no("strict mathematics keeps denormals");
    bool fits = 2 * Nest.kChannels() >= ceilDiv(Nest.kChannels(), 32) * 32;
    Result.why.push_back(
        fits ? "amx: bf16 products by matrix unit, which takes denormal "
               "operands as zeros"
             : "no amx: " + std::to_string(Nest.kChannels()) +
                   (Nest.matmul ? " products" : " channels") +
                   " would fill less than half of its tiles");
    return fits;
  }

  /// Whether the vector unit multiplies bf16 pairs: like the matrix unit it
  /// takes denormals as zeros, which strict mathematics does not allow.
  void choosePairs() {
    if (P.dtype != DType::BF16 || Nest.depthwise)
      return;
    std::string reason =
        !T.fastBf16Dot                  ? "the target has no fast one"
        : Math == "strict"              ? "strict mathematics keeps denormals"
        : Nest.kChannels() < 2          ? "one channel makes no pairs"
        : Result.schedule.filterInPlace ? "a filter in place holds no pairs"
                                        : "";
    Result.why.push_back(
        reason.empty() ? "pairs: bf16 products in pairs, which take denormal "
                         "operands and sums as zeros"
                       : "no bf16 dot product: " + reason);
    if (!reason.empty())
      return;
    Schedule &s = Result.schedule;
    s.pairs = true;
    ElementBytes = 2;
    // Chunks are whole pairs.
    s.kChunk = Nest.kChannels() % 2 == 0 ? ceilDiv(s.kChunk, 2) * 2 : 0;
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
    Result.why.push_back("tile " + std::to_string(s.mTile) + " " + W.pixels +
                         " x " + std::to_string(s.nVectors * Lanes) + " " +
                         W.channels + ": sums, A and B fill the eight tiles");
  }

  void chooseTile() {
    RegisterTile best, widest;
    TileWork work = tileWork(Nest, T, ElementBytes);
    // Few channels fill short vectors better; those exist on every ISA.
    for (int64_t bits = Registers.bits; bits >= 128; bits /= 2) {
      if (Bounds.vectorBits != 0 && bits != Bounds.vectorBits)
        continue;
      if (Bounds.vectorBits == 0 && bits != Registers.bits &&
          Nest.nExtent() > bits / 8 / ElementBytes)
        break;
      chooseRegisterTile(T, bits, work, best, widest);
    }
    Schedule &s = Result.schedule;
    s.vectorBits = best.bits;
    Lanes = best.bits / 8 / ElementBytes;
    s.mTile = best.m;
    s.nVectors = best.nVectors;
    // A row's taps follow each other where they meet neighbouring columns.
    int64_t run = Nest.kChannels() * (P.dilation[2] == 1 ? P.filter[2] : 1);
    s.kUnroll =
        Nest.depthwise ? work.filterSteps : unrolledSteps(best, Registers, run);
    Result.why.push_back(
        "tile " + std::to_string(best.m) + " " + W.pixels + " x " +
        std::to_string(best.nVectors * Lanes) + " " + W.channels +
        ": least waste for " + std::to_string(P.out[2]) + " " + W.pixels +
        " and " + std::to_string(Nest.nExtent()) + " " + W.channels +
        "; the largest tile that fits, " + std::to_string(widest.m) + " x " +
        std::to_string(widest.nVectors * widest.bits / 8 / ElementBytes) +
        ", costs " + std::to_string(int64_t(100 * widest.cost / best.cost)) +
        " %");
  }

  void chooseInput() {
    std::string reason = Nest.needsScratch(Result.schedule.keepsBf16());
    if (Bounds.fed)
      scratch("they are computed there");
    else if (Result.schedule.amx)
      scratch("the matrix unit reads whole tiles, zeros included");
    else if (!reason.empty())
      scratch(reason);
    else if (Nest.depthwise && P.dtype == DType::F16 && T.isa == Isa::Generic)
      scratch("it is widened, by many instructions, once for all its taps");
    else if (Result.schedule.dot && P.inStrides.channel != 1)
      scratch("its reduction is not contiguous");
    else if (!Nest.depthwise && P.inStrides.channel != 1 &&
             Nest.nExtent() > 4 * Lanes)
      scratch((Nest.matmul ? "its k runs far apart and is read for "
                           : "its channels are far apart and each is read "
                             "for ") +
              std::to_string(Nest.nExtent()) +
              (Nest.matmul ? std::string(" ") + W.channels : " outputs"));
    else if (Result.schedule.mTile > 8 &&
             P.stride[2] * P.inStrides.spatial[2] * ElementBytes % 4096 == 0)
      scratch("its columns are a multiple of 4096 bytes apart and would share "
              "one set of the L1 cache");
    else
      Result.why.push_back(
          std::string(W.input) +
          (Nest.matmul ? " in place: its type is the one computed in"
                       : " in place: no padding along a row, and its type "
                         "is the one computed in"));
  }

  /// Many pixels of a 1x1 convolution whose channels are read where they lie:
  /// a wide tile of four follows few rows of memory at a time, and passes each
  /// half as often. Zen 4: up to a third faster than 14 x 32.
  void readInOrder() {
    Schedule &s = Result.schedule;
    int64_t vectors = ceilDiv(Nest.nExtent(), Lanes);
    double filter =
        double(P.reduction()) * double(Nest.nExtent()) * double(ElementBytes);
    constexpr int64_t rows = 4, columns = 4, enough = 128;
    if (Nest.taps() != 1 || Nest.matmul || Nest.depthwise || s.scratchInput ||
        s.filterInPlace || s.dot || P.inStrides.channel != 1 ||
        Registers.count < 32 || s.vectorBits != Registers.bits ||
        P.out[2] < enough || vectors < columns - 1 ||
        filter > double(T.l2Bytes) * 5 / 8)
      return;
    s.mTile = rows;
    s.nVectors = std::min(vectors, columns);
    Result.why.push_back(
        "tile " + std::to_string(rows) + " pixels x " +
        std::to_string(s.nVectors * Lanes) +
        " channels after all: few rows of memory are read at a time");
  }

  void scratch(const std::string &reason) {
    Result.schedule.scratchInput = true;
    Result.why.push_back(std::string(W.input) + (Nest.matmul ? "'s" : "") +
                         " rows in scratch: " + reason);
  }

  const ConvNest &Nest;
  const ConvProblem &P;
  const NestWords &W;
  const Target &T;
  std::string_view Math;
  NestBounds Bounds;
  RegisterFile Registers;
  int64_t ElementBytes, Lanes = 1;
  Decision Result;
};

} // namespace

Decision boo::compiler::decideNest(const ConvNest &nest, const Target &target,
                                   std::string_view math,
                                   const NestBounds &bounds) {
  return ConvStrategy(nest, target, math, bounds).decide();
}
