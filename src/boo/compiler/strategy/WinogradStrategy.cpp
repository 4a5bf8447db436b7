//===- WinogradStrategy.cpp - When Winograd pays --------------------------===//
//
// Fewer products against transforms of input, filter and output. Cycles are
// those of the imagined core of RegisterTile.h with measured constants: only
// their ratio to the direct algorithm's matters.
//
//===----------------------------------------------------------------------===//

#include "boo/compiler/strategy/WinogradStrategy.h"
#include "boo/base/Math.h"
#include "boo/compiler/strategy/RegisterTile.h"
#include "boo/ops/ErrorBound.h"
#include "boo/ops/conv/ErrorBound.h"
#include "boo/ops/conv/Winograd.h"

#include <algorithm>
#include <cmath>

using namespace boo;
using namespace boo::compiler;

namespace {

/// Cycles of the transforms of one tile and vector of channels.
struct TransformCosts {
  double input, filter, output;
};
constexpr TransformCosts costs(int64_t tile) {
  return tile == 4 ? TransformCosts{170, 170, 130} : TransformCosts{70, 75, 55};
}

std::string percent(double ratio) {
  return std::to_string(int64_t(100 * ratio + 0.5)) + " %";
}

class WinogradPlan {
public:
  WinogradPlan(const ConvNest &nest, const Target &target, int64_t tile,
               bool filterIsFree, bool directInPairs)
      : P(nest.problem), Target(target), T(winogradTransform(tile)),
        FilterIsFree(filterIsFree), DirectInPairs(directInPairs),
        Tiles(winogradTiles(P, tile)), Terms(winogradTerms(P)) {
    chooseTile();
    chooseStrips();
    S.algorithm = tile == 4 ? Algorithm::Winograd4x4 : Algorithm::Winograd2x2;
    S.fma = registerFile(target.isa).fma;
    S.scratchInput = P.inStrides.channel != 1;
  }

  /// Worst rounding error over that of the direct algorithm, for operands of
  /// one magnitude.
  double errorRatio() const {
    double direct =
        *convErrorFactor("direct", P) / floatLimits(DType::F32).unit;
    return T.amplification() * winogradRoundings(P) / direct;
  }

  double cycles() const {
    return productCycles() + transformCycles() + filterCycles();
  }
  double filterCycles() const {
    if (FilterIsFree)
      return 0;
    // What is written is read for ownership first.
    return double(Terms) * vectors(P.outPerGroup()) * double(P.groups) *
               costs(T.tile).filter +
           (exceedsCache() ? 2 * filterReads(filterBytes()) : 0);
  }

  double directCycles() const {
    RegisterTile best, widest;
    chooseRegisterTile(Target, S.vectorBits,
                       {P.out[2], P.outPerGroup(), P.reduction(), 4}, best,
                       widest);
    double filter = 4.0 * double(P.reduction()) * double(P.outChannels);
    double rows = double(P.batch) * double(P.out[0]) * double(P.out[1]);
    // A pair's dot product takes a multiplication's time, but pairs are put
    // together first, of the filter and often of the input. Measured: where two
    // multiplications were counted as one, Winograd took 0.82 of the time that
    // its share of the direct cost had foretold.
    double steps = double(P.reduction()) / (DirectInPairs ? 1.65 : 1);
    return best.cost * rows * steps * double(P.groups) +
           (filter > double(Target.l2Bytes) ? filterReads(filter) : 0);
  }

  std::string name() const { return std::string(algorithmName(S.algorithm)); }
  std::string describeCost() const {
    double filter = filterCycles() / directCycles();
    std::string text =
        "about " + percent(cycles() / directCycles()) + " of the direct cost";
    return filter < 0.01
               ? text
               : text + ", " + percent(filter) + " for the filter's transform";
  }
  std::string describe() const {
    return name() + ": " + std::to_string(T.products()) + " products for " +
           std::to_string(T.tile * T.tile) + " outputs instead of " +
           std::to_string(9 * T.tile * T.tile) + ", " + describeCost();
  }
  /// The reasons for what else the Schedule holds.
  void explain(std::vector<std::string> &why) const {
    why.push_back("products of " + std::to_string(S.mTile) + " tiles x " +
                  std::to_string(S.nVectors * S.vectorBits / 32) +
                  " channels: least waste for " + std::to_string(Tiles) +
                  " tiles and " + std::to_string(P.outPerGroup()) +
                  " channels");
    why.push_back("strips of " + std::to_string(S.wChunk * S.mTile) +
                  " tiles: their transformed input " +
                  (isNear(S.wChunk)
                       ? "stays in the L2 cache"
                       : "exceeds the L2 cache, but the filter is read less"));
    if (S.nChunk < blocks())
      why.push_back(std::to_string(S.nChunk) + " of " +
                    std::to_string(blocks()) +
                    " channel blocks at a time: strips alone are too few for " +
                    std::to_string(Target.cores) + " cores");
    if (S.scratchInput)
      why.push_back("input copied, channels last: tiles read vectors of "
                    "channels");
  }

  const Schedule &schedule() const { return S; }

private:
  double vectors(int64_t channels) const {
    return double(ceilDiv(channels, S.vectorBits / 32));
  }
  /// Vectors of input that a tile is made from: planes of input are
  /// transformed again for each tap in depth.
  double inputVectors() const {
    return double(P.filter[0]) * vectors(P.inPerGroup());
  }
  int64_t blocks() const {
    return ceilDiv(P.outPerGroup(), S.nVectors * S.vectorBits / 32);
  }
  double filterBytes() const {
    return 4.0 * double(T.products()) * double(Terms) * double(P.outChannels);
  }
  bool exceedsCache() const {
    return filterBytes() > double(Target.l2Bytes) / 2;
  }
  /// What a filter's bytes take that come from beyond the second-level cache,
  /// or, as half of the L3 cache does not hold all of them, from memory.
  double filterReads(double bytes) const {
    bool inMemory = bytes > double(Target.l3Bytes) / 2;
    return bytes * (inMemory ? 0.12 : 0.04);
  }
  /// The same of a strip's input, when it is written and each time it is read:
  /// element by element, from a place for each frequency.
  static double inputReads(double bytes) { return bytes * 0.08; }
  double inputBytes(int64_t rounds) const {
    return 4.0 * double(T.products()) * double(Terms) *
           double(rounds * S.mTile);
  }
  /// Whether a strip's transformed input and products stay in the L2 cache
  /// beside a part of the filter.
  bool isNear(int64_t rounds) const {
    double block = double(S.nVectors * S.vectorBits / 32);
    double budget = double(Target.l2Bytes) * (exceedsCache() ? 0.625 : 0.25);
    return inputBytes(rounds) * (1 + block / double(Terms)) <= budget;
  }

  double productCycles() const {
    double strips = double(ceilDiv(ceilDiv(Tiles, S.mTile), S.wChunk));
    // Sums start at zero and end in scratch for each frequency.
    double steps = double(Terms) + 4;
    double far = exceedsCache() ? filterReads(filterBytes()) : 0;
    if (!isNear(S.wChunk))
      far +=
          double(P.groups * (blocks() + 2)) * inputReads(inputBytes(S.wChunk));
    return ProductCost * double(T.products()) * steps * double(P.groups) +
           strips * far;
  }

  double transformCycles() const {
    double chunks = double(ceilDiv(blocks(), S.nChunk));
    double input = double(Tiles) * inputVectors() * double(P.groups) *
                   costs(T.tile).input * chunks;
    double output = double(Tiles) * vectors(P.outPerGroup()) *
                    double(P.groups) * costs(T.tile).output;
    // Stored channel by channel, rows of a tile are short.
    if (P.outStrides.channel != 1)
      output *= 1.5;
    double copied = S.scratchInput ? double(P.batch * P.inChannels) *
                                         double(P.in[0] * P.in[1] * P.in[2])
                                   : 0;
    return input + output + copied * 0.3;
  }

  void chooseTile() {
    RegisterTile best, widest;
    int64_t bits = registerFile(Target.isa).bits;
    for (; bits >= 128; bits /= 2) {
      TileWork work{Tiles, P.outPerGroup(), Terms, 4};
      work.mostSums = sumsOfShortTile(Target.isa);
      chooseRegisterTile(Target, bits, work, best, widest);
      // Few channels fill short vectors better.
      if (std::max(P.outPerGroup(), P.inPerGroup()) > bits / 32 / 2)
        break;
    }
    S.vectorBits = best.bits;
    S.mTile = best.m;
    S.nVectors = best.nVectors;
    S.kUnroll = unrolledSteps(best, registerFile(Target.isa), Terms);
    ProductCost = best.cost;
  }

  /// A filter that does not stay in the L2 cache is read once a strip; of a
  /// strip that does not, each block of channels reads the input.
  void chooseStrips() {
    int64_t rounds = ceilDiv(Tiles, S.mTile);
    constexpr double enough = 4096;
    int64_t most = std::clamp<int64_t>(
        int64_t(std::min(double(Target.l3Bytes) / 6 / inputBytes(1), enough)),
        1, rounds);
    // The busiest of all cores decides, and a little the work of all: a filter
    // read by each strip, an input transformed for each chunk of channels.
    double best = 0;
    for (int64_t n = blocks();; n = ceilDiv(n, 2)) {
      for (int64_t w = 1; w <= most; ++w) {
        double grid = double(ceilDiv(rounds, w) * P.groups) *
                      double(ceilDiv(blocks(), n));
        double busiest = std::ceil(grid / double(Target.cores));
        double cost = (busiest + 0.3 * grid / double(Target.cores)) *
                      gridTileCycles(w, n);
        if (best == 0 || cost < best)
          best = cost, S.wChunk = w, S.nChunk = n;
      }
      if (n <= 2)
        break;
    }
    if (isWorthOwning()) {
      S.nChunk = std::min(
          S.nChunk, ceilDiv(blocks(), std::min<int64_t>(Target.cores, 4)));
      S.filterOuter = S.nChunk < blocks();
    }
  }

  /// Whether threads had better read what they transformed of the filter: what
  /// others did comes dirty from their cores' caches, which with few tiles can
  /// take longer than the products.
  bool isWorthOwning() const {
    constexpr int64_t fewTiles = 64;
    return !FilterIsFree && P.groups == 1 && Tiles <= fewTiles &&
           filterBytes() >= 3 * double(Target.l2Bytes);
  }

  /// Of `w` rounds and `n` blocks of output channels.
  double gridTileCycles(int64_t w, int64_t n) const {
    double tiles = double(w * S.mTile);
    double product = ProductCost * double(T.products()) * double(Terms + 4) *
                     double(w) / double(ceilDiv(Tiles, S.mTile) * blocks());
    double filter = exceedsCache() ? filterReads(filterBytes()) /
                                         double(P.groups * blocks())
                                   : 0;
    double input = isNear(w) ? 0 : inputReads(inputBytes(w));
    double output = tiles * double(S.nVectors) * costs(T.tile).output;
    return 2000 + tiles * inputVectors() * costs(T.tile).input + 2 * input +
           double(n) * (product + filter + input + output);
  }

  const ConvProblem &P;
  const boo::Target &Target;
  const WinogradTransform &T;
  bool FilterIsFree, DirectInPairs;
  int64_t Tiles, Terms;
  Schedule S;
  double ProductCost = 0;
};

/// The multiple of the direct algorithm's error bound that a mode allows.
double errorBudget(std::string_view math) { return math == "fast" ? 128 : 16; }

/// Why the math mode does not allow a plan; "" when it does.
std::string exceedsBudget(const WinogradPlan &plan, const ConvProblem &problem,
                          std::string_view math) {
  // Rounding to 16 bits hides it: its unit is 2^12 times that of f32 or more.
  if (dtypeBytes(problem.dtype) < 4 || plan.errorRatio() <= errorBudget(math))
    return "";
  return "its error bound is " + std::to_string(int64_t(plan.errorRatio())) +
         " times the direct one, --math " + std::string(math) + " allows " +
         std::to_string(int64_t(errorBudget(math)));
}

std::string refuses(const ConvNest &nest, std::string_view math,
                    const Decision &direct) {
  if (math == "strict")
    return "--math strict allows direct sums only";
  if (nest.depthwise)
    return "a group has one channel";
  const ConvProblem &p = nest.problem;
  if (p.batch * p.out[0] * p.out[1] * p.out[2] * p.outChannels == 0 ||
      p.inPerGroup() == 0)
    return "there is nothing to compute";
  if (std::string reason = refusesWinograd(nest.problem); !reason.empty())
    return reason;
  if (direct.schedule.amx)
    return "the matrix unit is faster";
  return "";
}

} // namespace

StatusOr<Decision>
boo::compiler::weighWinograd(const ConvNest &nest, const Target &target,
                             std::string_view math, bool filterIsFree,
                             Decision direct, std::optional<Algorithm> asked) {
  bool isAsked = asked && isWinograd(*asked);
  auto refuse = [&](const std::string &what,
                    const std::string &reason) -> StatusOr<Decision> {
    if (isAsked)
      return unsupported("tuning entry: " + std::string(algorithmName(*asked)) +
                         " cannot serve this group: " + reason);
    direct.why.push_back("not " + what + ": " + reason);
    return direct;
  };
  if (std::string reason = refuses(nest, math, direct); !reason.empty())
    return refuse("winograd", reason);

  std::vector<WinogradPlan> allowed;
  std::vector<std::string> why;
  for (int64_t tile : {4, 2}) {
    WinogradPlan plan(nest, target, tile, filterIsFree, direct.schedule.pairs);
    if (isAsked && plan.schedule().algorithm != *asked)
      continue;
    std::string reason = exceedsBudget(plan, nest.problem, math);
    if (reason.empty())
      allowed.push_back(plan);
    else if (isAsked)
      return refuse(plan.name(), reason);
    else
      why.push_back("not " + plan.name() + ": " + reason);
  }
  auto best = std::min_element(
      allowed.begin(), allowed.end(),
      [](const auto &a, const auto &b) { return a.cycles() < b.cycles(); });
  // An estimate: a close call goes to the smaller error.
  bool pays = !allowed.empty() && (best->cycles() < 0.9 * best->directCycles());
  bool chosen = !allowed.empty() && (pays || isAsked);
  for (auto plan = allowed.begin(); plan != allowed.end(); ++plan)
    if (!chosen || plan != best)
      why.push_back("not " + plan->name() + ": " + plan->describeCost());
  if (!chosen) {
    direct.why.insert(direct.why.end(), why.begin(), why.end());
    return direct;
  }
  Decision decision;
  decision.schedule = best->schedule();
  decision.schedule.serial = direct.schedule.serial;
  decision.why = std::move(why);
  decision.why.insert(decision.why.begin(), best->describe());
  best->explain(decision.why);
  return decision;
}
