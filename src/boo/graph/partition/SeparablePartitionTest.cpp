//===- SeparablePartitionTest.cpp - Two convolutions in one group ---------===//

#include "boo/graph/partition/Partition.h"

#include <gmock/gmock.h>

using namespace boo;
using testing::ElementsAre;

namespace {

/// Two convolutions of f32[1,8,4,4] with tails; `depthwise` and `point` may
/// change their attributes and filters' sizes.
struct TwoConvs {
  using List = std::vector<int64_t>;
  AttributeMap depthwise = attributes(8, 1), point = attributes(1, 0);
  List depthwiseFilter{8, 1, 3, 3}, pointFilter{6, 8, 1, 1};
  bool middleLeaves = false;

  static AttributeMap attributes(int64_t groups, int64_t padding) {
    return {{"stride", List{1, 1}},
            {"dilation", List{1, 1}},
            {"pad_lo", List{padding, padding}},
            {"pad_hi", List{padding, padding}},
            {"groups", groups},
            {"acc", DType::F32}};
  }
  /// Nodes of each group.
  std::vector<size_t> groups() const {
    Graph graph;
    auto type = [](List sizes) {
      return TensorType::contiguous(DType::F32, std::move(sizes));
    };
    auto conv = [&](ValueId x, const AttributeMap &attributes, List filter) {
      TensorType result = type({1, filter[0], 4, 4});
      ValueId w = graph.addArgument(type(std::move(filter)));
      ValueId y = graph.addNode(Op::Conv, {x, w}, attributes, {result})[0];
      return graph.addPointwise(PointwiseFn::Relu, {y}, result);
    };
    ValueId middle =
        conv(graph.addArgument(type({1, 8, 4, 4})), depthwise, depthwiseFilter);
    if (middleLeaves)
      graph.addOutput(middle);
    graph.addOutput(conv(middle, point, pointFilter));
    std::vector<size_t> lengths;
    auto all = partition(graph);
    EXPECT_TRUE(all.isOk());
    for (const Group &group : *all)
      lengths.push_back(group.graph.nodes().size());
    return lengths;
  }
};

TEST(SeparablePartition, ADepthwiseConvTakesAPointwiseOne) {
  auto apart = ElementsAre(2, 2);
  EXPECT_THAT(TwoConvs().groups(), ElementsAre(4));
  TwoConvs dense;
  dense.depthwise["groups"] = int64_t(1);
  dense.depthwiseFilter[1] = 8;
  EXPECT_THAT(dense.groups(), apart);
  TwoConvs groups;
  groups.point["groups"] = int64_t(2);
  groups.pointFilter[1] = 4;
  EXPECT_THAT(groups.groups(), apart);
  TwoConvs wide;
  wide.point = TwoConvs::attributes(1, 1);
  wide.pointFilter = {6, 8, 3, 3};
  EXPECT_THAT(wide.groups(), apart);
  TwoConvs seen;
  seen.middleLeaves = true;
  EXPECT_THAT(seen.groups(), apart);
}

} // namespace
