//===- Neighbours.cpp - What a search for Schedules may try ---------------===//
//
// Each family of emitters reads some of a Schedule's fields; those, and no
// others, are varied here, without a look at what a group allows: decide()
// brings a step into the form that fits the group, or refuses it. Left alone is
// `serial`: whether another thread is worth waking is a matter of the threads
// that there will be, and not of those of a measurement.
//
//===----------------------------------------------------------------------===//

#include "boo/compiler/strategy/Neighbours.h"
#include "boo/compiler/strategy/ConvNest.h"
#include "boo/compiler/strategy/RegisterTile.h"
#include "boo/compiler/strategy/RowNest.h"
#include "boo/compiler/strategy/ScheduleCost.h"

#include <algorithm>
#include <set>

using namespace boo;
using namespace boo::compiler;

namespace {

/// Collects steps away from a Schedule.
class Steps {
public:
  Steps(const Schedule &from, const Target &target)
      : From(from), Registers(registerFile(target.isa)) {}

  std::vector<Schedule> all;

  using Number = int64_t Schedule::*;
  using Flag = bool Schedule::*;

  void set(Number field, std::initializer_list<int64_t> values) {
    for (int64_t value : values)
      add(field, value);
  }
  /// Half and twice as many, never below `least`.
  void scale(Number field, int64_t least = 1) {
    int64_t value = From.*field;
    add(field, std::max(least, value / 2));
    add(field, std::max(least, value * 2));
  }
  /// Half, twice, the least and, as fitting to the group cuts it, the most.
  void spread(Number field) {
    scale(field);
    set(field, {1, int64_t(1) << 40});
  }
  void flip(std::initializer_list<Flag> fields) {
    for (Flag field : fields) {
      Schedule s = From;
      s.*field = !(s.*field);
      add(s);
    }
  }

  /// Register tiles: all that the registers hold, widest first.
  void tiles(Number m, Number v) {
    if (From.amx)
      return amxTiles();
    for (int64_t vectors = 1; vectors <= 8; ++vectors)
      for (int64_t rows = room(vectors); rows >= 1; --rows)
        tile(m, rows, v, vectors);
  }
  /// Those close to the one that there is, where no model orders them.
  void nearTiles(Number m, Number v) {
    int64_t rows = From.*m, vectors = From.*v;
    for (int64_t other : {rows + 1, rows - 1, rows + 2, rows - 2, 2 * rows,
                          rows / 2, room(vectors)})
      tile(m, other, v, vectors);
    for (int64_t other : {vectors + 1, vectors - 1, 2 * vectors})
      tile(m, rows, v, other);
    for (int64_t other : {vectors + 1, vectors - 1})
      tile(m, room(other), v, other);
  }
  void vectorBits() {
    add(&Schedule::vectorBits, std::min(Registers.bits, 2 * From.vectorBits));
    add(&Schedule::vectorBits, std::max<int64_t>(128, From.vectorBits / 2));
  }
  void add(const Schedule &schedule) { all.push_back(schedule); }

private:
  void add(Number field, int64_t value) {
    Schedule s = From;
    s.*field = value;
    add(s);
  }
  int64_t room(int64_t vectors) const {
    return vectors < 1 ? 0 : mostTileRows(Registers, From.fma, vectors);
  }
  void tile(Number m, int64_t rows, Number v, int64_t vectors) {
    if (rows < 1 || vectors < 1 || rows > 64 || vectors > 64)
      return;
    Schedule s = From;
    s.*m = rows;
    s.*v = vectors;
    add(s);
  }
  /// Sums, A and B in eight tiles.
  void amxTiles() {
    for (auto [rows, vectors] : {std::pair(32, 2), {16, 3}, {32, 1}, {16, 2}})
      tile(&Schedule::mTile, rows, &Schedule::nVectors, vectors);
  }

  const Schedule &From;
  RegisterFile Registers;
};

} // namespace

/// Loops round boo.brgemm: convolutions, their inputs' gradients, products.
static void stepProduct(Steps &steps) {
  steps.tiles(&Schedule::mTile, &Schedule::nVectors);
  steps.vectorBits();
  steps.spread(&Schedule::nChunk);
  steps.spread(&Schedule::wChunk);
  steps.scale(&Schedule::hChunk);
  steps.scale(&Schedule::kChunk, 0);
  steps.set(&Schedule::kChunk, {0, 64, 256, 512});
  steps.flip({&Schedule::scratchInput, &Schedule::filterOuter,
              &Schedule::filterInPlace, &Schedule::packInside, &Schedule::dot,
              &Schedule::prefetchInput});
  steps.set(&Schedule::kUnroll, {1, 2, 3, 4, 5});
  steps.set(&Schedule::prefetch, {0, 4, 16});
}

static void stepWinograd(Steps &steps) {
  steps.nearTiles(&Schedule::mTile, &Schedule::nVectors);
  steps.spread(&Schedule::wChunk);
  steps.spread(&Schedule::nChunk);
  steps.flip({&Schedule::scratchInput, &Schedule::filterOuter});
  steps.set(&Schedule::kUnroll, {1, 2, 4});
  steps.set(&Schedule::prefetch, {0, 4, 16});
  steps.vectorBits();
}

static void stepSeparable(Steps &steps) {
  steps.scale(&Schedule::rows);
  steps.nearTiles(&Schedule::mTile, &Schedule::nVectors);
  steps.spread(&Schedule::nChunk);
  steps.nearTiles(&Schedule::dwMTile, &Schedule::dwNVectors);
  steps.spread(&Schedule::dwNChunk);
  steps.spread(&Schedule::dwWChunk);
  steps.flip({&Schedule::dwScratchInput, &Schedule::dwPrefetchInput});
  steps.set(&Schedule::dwKUnroll, {1, 3, 5});
  steps.set(&Schedule::kUnroll, {1, 2, 4});
}

static void stepWeightGrad(const Schedule &from, Steps &steps) {
  // Operands in place are read a block at a time, copies many times.
  Schedule other = from;
  other.scratchInput = !from.scratchInput;
  other.kChunk = other.scratchInput ? 128 : 0;
  other.nChunk = other.scratchInput ? 8 : 1;
  steps.add(other);
  if (from.scratchInput) {
    steps.scale(&Schedule::kChunk, 16);
    steps.spread(&Schedule::nChunk);
  }
  steps.nearTiles(&Schedule::mTile, &Schedule::nVectors);
  steps.scale(&Schedule::kParts);
  steps.spread(&Schedule::wChunk);
  steps.flip({&Schedule::lanesOverInput});
  steps.set(&Schedule::kUnroll, {1, 2, 4});
  steps.set(&Schedule::prefetch, {0, 4, 16});
  steps.vectorBits();
}

static void stepAttention(Steps &steps) {
  steps.scale(&Schedule::kChunk, 0);
  steps.scale(&Schedule::wChunk);
  steps.nearTiles(&Schedule::mTile, &Schedule::nVectors);
  steps.flip(
      {&Schedule::scratchInput, &Schedule::filterInPlace, &Schedule::dot});
  steps.set(&Schedule::kUnroll, {1, 2, 4});
  steps.vectorBits();
}

/// Rows and columns: bound by memory, so there is less to gain.
static void stepRows(Op anchor, const Schedule &from, Steps &steps) {
  if (passesAgain(anchor))
    steps.set(&Schedule::mTile, {1, 2, 4});
  // Lanes that are rows are together as it is.
  Schedule other = from;
  other.dot = !from.dot;
  other.mTile = 1;
  steps.add(other);
  steps.scale(&Schedule::kUnroll);
  steps.scale(&Schedule::wChunk);
  // Sums over rows, of gradients and of statistics of channels that lie side by
  // side, have columns; those and reductions may be cut into parts.
  bool columns = anchor == Op::NormGrad || anchor == Op::BatchNorm ||
                 anchor == Op::BatchNormGrad;
  if (columns) {
    steps.scale(&Schedule::nVectors);
    steps.spread(&Schedule::nChunk);
  }
  if (columns || anchor == Op::Reduce)
    steps.scale(&Schedule::kParts);
  if (anchor == Op::Norm || anchor == Op::Softmax)
    steps.set(&Schedule::prefetch, {0, 1, 2});
  steps.scale(&Schedule::kChunk, 0);
  steps.flip({&Schedule::scratchInput});
  steps.vectorBits();
}

static void stepPool(Steps &steps) {
  steps.scale(&Schedule::wChunk);
  steps.scale(&Schedule::nVectors);
  steps.scale(&Schedule::kUnroll);
  steps.flip({&Schedule::dot});
  steps.vectorBits();
}

static void stepElements(Steps &steps) {
  steps.scale(&Schedule::wChunk);
  steps.vectorBits();
}

static void stepFields(const Graph &group, const Schedule &from, Steps &steps) {
  Op anchor = group.nodes().front().op;
  switch (from.algorithm) {
  case Algorithm::Direct:
  case Algorithm::Depthwise:
    return anchor == Op::ConvGradWeight ? stepWeightGrad(from, steps)
                                        : stepProduct(steps);
  case Algorithm::Winograd4x4:
  case Algorithm::Winograd2x2:
    return stepWinograd(steps);
  case Algorithm::Separable:
    return stepSeparable(steps);
  case Algorithm::Attention:
    return stepAttention(steps);
  case Algorithm::Rows:
    return stepRows(anchor, from, steps);
  case Algorithm::Pool:
    return stepPool(steps);
  case Algorithm::Pointwise:
  case Algorithm::Pad:
    return stepElements(steps);
  case Algorithm::Module:
    return;
  }
}

namespace {

/// Legal steps and what the model thinks of them.
class Chooser {
public:
  Chooser(const Graph &group, const Target &target, const Mode &mode,
          const Schedule &from)
      : Group(group), T(target), M(mode), From(from) {
    Seen.insert(printSchedule(from));
    if (isProduct(from))
      Nest = mainNest(group);
    Own = cost(from);
  }

  /// Another algorithm, in the form that the strategy gives it.
  void offer(Algorithm algorithm) {
    if (algorithm != From.algorithm)
      add("algorithm=" + std::string(algorithmName(algorithm)), 0);
  }
  void offer(const Schedule &schedule) { add(printSchedule(schedule), {}); }

  std::vector<Schedule> take() {
    std::sort(All.begin(), All.end(), [](const Offer &a, const Offer &b) {
      return std::pair(a.cost, a.number) < std::pair(b.cost, b.number);
    });
    std::vector<Schedule> steps;
    size_t tiles = 0;
    for (const auto &[cost, number, schedule] : All) {
      // Most tiles differ little: those that the model likes best stand for
      // them, and the next step starts from the best of these.
      constexpr size_t enough = 12;
      bool otherTile =
          schedule.mTile != From.mTile || schedule.nVectors != From.nVectors;
      if (cost > 2 * Own || (otherTile && Nest && tiles++ >= enough))
        continue;
      steps.push_back(schedule);
    }
    return steps;
  }

private:
  struct Offer {
    double cost;
    size_t number; ///< of its turn
    Schedule schedule;
  };

  /// The one that a Schedule of products is for, if there is work at all.
  static std::optional<ConvNest> mainNest(const Graph &group) {
    Op anchor = group.nodes().front().op;
    if (anchor == Op::ConvGradWeight)
      return std::nullopt;
    if (anchor != Op::ConvGradInput)
      return makeConvNest(group);
    bool gaps = false;
    std::vector<ConvNest> nests = makeGradInputNests(group, &gaps);
    return nests.empty() ? std::nullopt
                         : std::optional<ConvNest>(std::move(nests.front()));
  }
  static bool isProduct(const Schedule &s) {
    return s.algorithm == Algorithm::Direct ||
           s.algorithm == Algorithm::Depthwise;
  }
  double cost(const Schedule &schedule) const {
    return Nest && isProduct(schedule) ? nestCost(*Nest, T, schedule) : 1;
  }
  void add(const std::string &text, std::optional<double> known) {
    auto decision = decide(Group, T, M, text);
    if (!decision.isOk() ||
        !Seen.insert(printSchedule(decision->schedule)).second)
      return;
    All.push_back({known.value_or(cost(decision->schedule)), All.size(),
                   decision->schedule});
  }

  const Graph &Group;
  const Target &T;
  const Mode &M;
  const Schedule &From;
  std::optional<ConvNest> Nest; ///< that the model judges by
  double Own = 1;
  std::set<std::string> Seen;
  std::vector<Offer> All;
};

} // namespace

StatusOr<Neighbours> boo::compiler::neighboursOf(const Graph &group,
                                                 const Target &target,
                                                 const Mode &mode,
                                                 std::string_view from) {
  BOO_ASSIGN_OR_RETURN(Decision decision, decide(group, target, mode, from));
  Neighbours result;
  result.from = decision.schedule;
  Chooser chooser(group, target, mode, result.from);
  Op anchor = group.nodes().front().op;
  if (anchor == Op::Conv || anchor == Op::ConvGradInput)
    for (Algorithm algorithm :
         {Algorithm::Direct, Algorithm::Winograd4x4, Algorithm::Winograd2x2})
      chooser.offer(algorithm);
  Steps steps(result.from, target);
  stepFields(group, result.from, steps);
  if (result.from.algorithm != Algorithm::Module)
    steps.flip({&Schedule::stream});
  for (const Schedule &schedule : steps.all)
    chooser.offer(schedule);
  result.steps = chooser.take();
  return result;
}

std::string boo::compiler::printNeighbours(const Neighbours &neighbours) {
  std::string text = printSchedule(neighbours.from) + "\n";
  for (const Schedule &schedule : neighbours.steps)
    text += printSchedule(schedule) + "\n";
  return text;
}
