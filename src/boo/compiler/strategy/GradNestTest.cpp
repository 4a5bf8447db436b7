//===- GradNestTest.cpp - Gradients as loop nests -------------------------===//

#include "boo/compiler/strategy/ConvNest.h"
#include "boo/compiler/strategy/WeightGradNest.h"

#include <gmock/gmock.h>

#include <set>

using namespace boo;
using namespace boo::compiler;
using testing::ElementsAre;

namespace {

struct Shape {
  int64_t in, filter, stride, dilation, pad, groups = 1;
  int64_t out() const {
    return (in + 2 * pad - (filter - 1) * dilation - 1) / stride + 1;
  }
};

/// A 1-D gradient with six channels in and out.
Graph gradient(Op op, const Shape &s, bool channelsLast = false) {
  using List = std::vector<int64_t>;
  Graph graph;
  List in{2, 6, s.in}, filter{6, 6 / s.groups, s.filter}, out{2, 6, s.out()};
  bool wantsInput = op == Op::ConvGradInput;
  auto type = [&](const List &sizes) {
    return channelsLast ? TensorType::permuted(DType::F32, sizes, {0, 2, 1})
                        : TensorType::contiguous(DType::F32, sizes);
  };
  ValueId dy = graph.addArgument(type(out));
  ValueId other = graph.addArgument(type(wantsInput ? filter : in));
  AttributeMap attributes{
      {"stride", List{s.stride}}, {"dilation", List{s.dilation}},
      {"pad_lo", List{s.pad}},    {"pad_hi", List{s.pad}},
      {"groups", s.groups},       {"size", List{wantsInput ? s.in : s.filter}},
      {"acc", DType::F32}};
  graph.addOutput(graph.addNode(op, {dy, other}, attributes,
                                {type(wantsInput ? in : filter)})[0]);
  EXPECT_TRUE(graph.verify().isOk()) << graph.verify().toString();
  return canonicalize(graph);
}

/// Triples of input pixel, tap and output pixel that the nests multiply, for
/// the first channel of each operand.
std::multiset<std::array<int64_t, 3>>
productsOf(const std::vector<ConvNest> &nests, const Shape &s) {
  std::multiset<std::array<int64_t, 3>> products;
  for (const ConvNest &nest : nests) {
    const ConvProblem &p = nest.problem;
    // Phases are groups behind the first ones, or channels.
    int64_t families = nest.groupSizes.size() > 1 ? nest.groupSizes[1] : 1;
    int64_t channels = nest.depthwise ? 1 : p.outPerGroup();
    for (int64_t g = 0; g != families * channels; ++g)
      for (int64_t j = 0; j != p.out[2]; ++j)
        for (int64_t t = 0; t != p.filter[2]; ++t) {
          int64_t o = j * p.stride[2] + t * p.dilation[2] - p.padLo[2];
          int64_t i = p.outStrides.base + j * p.outStrides.spatial[2] +
                      g / families * p.outStrides.channel;
          int64_t f = p.filterStrides.base + t * p.filterStrides.spatial[2] +
                      g / families * p.filterStrides.outer;
          if (families > 1) {
            i += g % families * p.outStrides.group[1];
            f += g % families * p.filterStrides.group[1];
          }
          // Those of the first channel are at the start of the tensors.
          if (i < s.in && o >= 0 && o < p.in[2])
            products.insert({i, f, o});
        }
  }
  return products;
}

TEST(GradInputNests, EachProductOnce) {
  for (Shape s :
       {Shape{9, 3, 1, 1, 1}, Shape{9, 3, 2, 1, 1}, Shape{12, 4, 4, 1, 0},
        Shape{11, 2, 3, 1, 0}, Shape{17, 4, 6, 4, 4}, Shape{17, 5, 4, 3, 2},
        Shape{8, 2, 1, 1, 4}, Shape{7, 1, 3, 1, 2}, Shape{20, 7, 5, 1, 3},
        Shape{1, 1, 3, 1, 1}, Shape{220, 30, 31, 7, 0},
        Shape{90, 9, 8, 3, 2}}) {
    std::multiset<std::array<int64_t, 3>> wanted;
    for (int64_t o = 0; o != s.out(); ++o)
      for (int64_t f = 0; f != s.filter; ++f) {
        int64_t i = o * s.stride + f * s.dilation - s.pad;
        if (i >= 0 && i < s.in)
          wanted.insert({i, f, o});
      }
    for (int64_t groups : {1, 2, 6}) {
      s.groups = groups;
      bool gaps = false;
      Graph graph = gradient(Op::ConvGradInput, s);
      EXPECT_EQ(productsOf(makeGradInputNests(graph, &gaps), s), wanted)
          << s.in << " " << s.filter << " " << s.stride << " " << s.dilation;
    }
  }
}

TEST(GradInputNests, Phases) {
  bool gaps = false;
  auto count = [&](const Shape &s) {
    return makeGradInputNests(gradient(Op::ConvGradInput, s), &gaps).size();
  };
  EXPECT_EQ(count({32, 3, 1, 1, 1}), 1u);
  EXPECT_EQ(count({32, 3, 2, 1, 1}), 2u);
  // Patches: all phases are alike. Between depthwise channels they are apart.
  EXPECT_EQ(count({32, 4, 4, 1, 0}), 1u);
  EXPECT_EQ(count({32, 4, 4, 1, 0, 6}), 4u);
  EXPECT_FALSE(gaps);
  // Of 30 phases those of neighbouring taps, 7 pixels apart, are alike.
  EXPECT_LE(count({220, 30, 31, 7, 0}), 10u);
  EXPECT_EQ(count({32, 2, 4, 1, 0}), 1u);
  EXPECT_TRUE(gaps);
}

TEST(WeightGradNest, PiecesOfTheSum) {
  Graph graph = gradient(Op::ConvGradWeight, {9, 3, 1, 1, 1});
  WeightGradNest nest = makeWeightGradNest(graph);
  Schedule s;
  EXPECT_THAT(nest.extents(s), ElementsAre(2, 1, 1, 9));
  EXPECT_THAT(nest.pieces(s, 1), ElementsAre(2, 1, 1, 9));
  EXPECT_THAT(nest.pieces(s, 2), ElementsAre(1, 1, 1, 9));
  EXPECT_THAT(nest.pieces(s, 5), ElementsAre(1, 1, 1, 3));
  EXPECT_EQ(nest.countPieces(s, nest.pieces(s, 5)), 6);
  EXPECT_THAT(nest.pieces(s, 1000), ElementsAre(1, 1, 1, 1));
  s.pairs = true;
  EXPECT_THAT(nest.extents(s), ElementsAre(2, 1, 1, 5));
  // A 1x1 filter walks through batch and space: one long sum, if memory allows.
  nest = makeWeightGradNest(gradient(Op::ConvGradWeight, {9, 1, 1, 1, 0}));
  EXPECT_THAT(nest.extents(Schedule()), ElementsAre(2, 1, 1, 9));
}

TEST(WeightGradNest, RowsOfADepthwiseTileAreTaps) {
  WeightGradNest nest =
      makeWeightGradNest(gradient(Op::ConvGradWeight, {9, 3, 1, 1, 1, 6}));
  ASSERT_TRUE(nest.depthwise);
  Schedule s;
  EXPECT_EQ(nest.rowCount(s), 1);
  EXPECT_EQ(nest.taps(s), 3);
  s.mTile = 3;
  EXPECT_EQ(nest.rowCount(s), 3);
  EXPECT_EQ(nest.taps(s), 1);
  // The row under its taps stays whole.
  EXPECT_THAT(nest.pieces(s, 1000), ElementsAre(1, 1, 1, 9));
}

TEST(WeightGradNest, TapsOfARowAsChannels) {
  // As Shape has them the filter's channels are apart.
  Shape shape{9, 3, 2, 1, 1};
  EXPECT_FALSE(
      withMergedTaps(makeWeightGradNest(gradient(Op::ConvGradWeight, shape))));
  auto channelsLast = [](const Shape &s) {
    return makeWeightGradNest(gradient(Op::ConvGradWeight, s, true));
  };
  std::optional<WeightGradNest> merged = withMergedTaps(channelsLast(shape));
  ASSERT_TRUE(merged);
  EXPECT_EQ(merged->input.channels, 18);
  EXPECT_EQ(merged->taps({}), 1);
  // Five pixels at a stride of two meet eleven columns, three pixels seven.
  EXPECT_THAT(merged->window({2, 1, 1, 5}), ElementsAre(2, 1, 1, 11));
  EXPECT_THAT(merged->window({1, 1, 1, 3}), ElementsAre(1, 1, 1, 7));
  // Only a Schedule that copies has them so.
  Schedule s;
  Graph graph = gradient(Op::ConvGradWeight, shape, true);
  EXPECT_FALSE(makeWeightGradNest(graph, s).mergesTaps);
  s.scratchInput = true;
  EXPECT_TRUE(makeWeightGradNest(graph, s).mergesTaps);
  // A single tap, taps or windows with gaps, and depthwise filters do not.
  for (Shape other : {Shape{9, 1, 1, 1, 0}, Shape{9, 3, 1, 2, 1},
                      Shape{20, 3, 4, 1, 1}, Shape{9, 3, 1, 1, 1, 6}})
    EXPECT_FALSE(withMergedTaps(channelsLast(other))) << other.filter;
}

} // namespace
