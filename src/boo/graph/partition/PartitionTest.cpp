//===- PartitionTest.cpp - Groups, and plans made of them -----------------===//

#include "boo/graph/partition/Partition.h"

#include <gmock/gmock.h>

using namespace boo;
using testing::ElementsAre;
using testing::HasSubstr;

namespace {

/// Builds graphs of 1x1 convolutions on tensors of one size.
struct Builder {
  Graph graph;
  TensorType type = TensorType::contiguous(DType::F32, {1, 8, 4, 4});
  ValueId x = graph.addArgument(type);
  ValueId w = graph.addArgument(
      TensorType::contiguous(DType::F32, {8, 8, 1, 1}), Role::Constant);

  ValueId conv(ValueId input, Op op = Op::Conv) {
    using List = std::vector<int64_t>;
    AttributeMap attributes{{"stride", List{1, 1}}, {"dilation", List{1, 1}},
                            {"pad_lo", List{0, 0}}, {"pad_hi", List{0, 0}},
                            {"groups", int64_t(1)}, {"acc", DType::F32}};
    if (op != Op::Conv)
      attributes["size"] = List{4, 4};
    return graph.addNode(op, {input, w}, attributes, {type})[0];
  }
  ValueId relu(ValueId a) {
    return graph.addPointwise(PointwiseFn::Relu, {a}, type);
  }
  ValueId add(ValueId a, ValueId b) {
    return graph.addPointwise(PointwiseFn::Add, {a, b}, type);
  }
  ValueId mlir(ValueId a) {
    return graph.addNode(Op::Mlir, {a}, {{"module", std::string("m")}},
                         {type})[0];
  }
};

std::vector<Group> groupsOf(const Graph &graph) {
  StatusOr<std::vector<Group>> groups = partition(graph);
  EXPECT_TRUE(groups.isOk()) << groups.status().toString();
  if (!groups.isOk())
    return {};
  for (const Group &group : *groups) {
    EXPECT_TRUE(group.graph.verify().isOk());
    EXPECT_EQ(printGraph(canonicalize(group.graph)), printGraph(group.graph));
    EXPECT_EQ(group.arguments.size(), group.graph.arguments().size());
    EXPECT_EQ(group.outputs.size(), group.graph.outputs().size());
  }
  return *groups;
}

/// "conv+pointwise" for each group, in order.
std::vector<std::string> shapeOf(const std::vector<Group> &groups) {
  std::vector<std::string> shapes;
  for (const Group &group : groups) {
    std::string shape;
    for (const Node &node : group.graph.nodes())
      shape += (shape.empty() ? "" : "+") + std::string(opName(node.op));
    shapes.push_back(shape);
  }
  return shapes;
}

TEST(Partition, MatmulTakesItsTail) {
  Graph graph;
  TensorType type = TensorType::contiguous(DType::BF16, {4, 6});
  ValueId a = graph.addArgument(TensorType::contiguous(DType::BF16, {4, 5}));
  ValueId b = graph.addArgument(TensorType::contiguous(DType::BF16, {5, 6}));
  ValueId bias = graph.addArgument(TensorType::contiguous(DType::BF16, {6}));
  ValueId y =
      graph.addNode(Op::Matmul, {a, b}, {{"acc", DType::F32}}, {type})[0];
  y = graph.addPointwise(PointwiseFn::Add, {y, bias}, type);
  graph.addOutput(graph.addPointwise(PointwiseFn::Relu, {y}, type));
  EXPECT_THAT(shapeOf(groupsOf(graph)),
              ElementsAre("matmul+pointwise+pointwise"));
}

TEST(Partition, NormsTakeATailUnlessTheyHaveStatistics) {
  for (bool stats : {false, true}) {
    Graph graph;
    TensorType type = TensorType::contiguous(DType::F32, {4, 6});
    TensorType row = TensorType::contiguous(DType::F32, {4, 1});
    ValueId x = graph.addArgument(type);
    std::vector<TensorType> types{type};
    if (stats)
      types.insert(types.end(), 2, row);
    ValueId y = graph.addNode(Op::Norm, {x},
                              {{"acc", DType::F32},
                               {"dims", int64_t(1)},
                               {"eps", 1e-5},
                               {"stats", stats}},
                              types)[0];
    graph.addOutput(graph.addPointwise(PointwiseFn::Relu, {y}, type));
    auto groups = groupsOf(graph);
    if (!stats) {
      EXPECT_THAT(shapeOf(groups), ElementsAre("norm+pointwise"));
      continue;
    }
    EXPECT_THAT(shapeOf(groups), ElementsAre("norm", "pointwise"));
    EXPECT_EQ(groups[0].outputs.size(), 3u);
  }
}

TEST(Partition, AttentionIsAGroupOfItsOwn) {
  Graph graph;
  TensorType type = TensorType::contiguous(DType::F32, {2, 4, 8});
  TensorType square = TensorType::contiguous(DType::F32, {8, 8});
  ValueId x = graph.addArgument(type);
  auto product = [&](ValueId a) {
    return graph.addNode(Op::Matmul, {a, graph.addArgument(square)},
                         {{"acc", DType::F32}}, {type})[0];
  };
  std::vector<ValueId> qkv{product(x), product(x), product(x)};
  ValueId y = graph.addNode(Op::Attention, qkv,
                            {{"acc", DType::F32},
                             {"causal", false},
                             {"heads", int64_t(2)},
                             {"logsumexp", false},
                             {"scale", 0.5}},
                            {type})[0];
  y = graph.addPointwise(PointwiseFn::Relu, {y}, type);
  graph.addOutput(product(y));
  EXPECT_THAT(shapeOf(groupsOf(graph)),
              ElementsAre("matmul", "matmul", "matmul", "attention",
                          "pointwise", "matmul"));
}

TEST(Partition, TailFollowsItsAnchorAndEqualLayersAreEqual) {
  Builder b;
  b.graph.addOutput(b.relu(b.conv(b.relu(b.conv(b.x)))));
  auto groups = groupsOf(b.graph);
  EXPECT_THAT(shapeOf(groups), ElementsAre("conv+pointwise", "conv+pointwise"));
  EXPECT_EQ(printGraph(groups[0].graph), printGraph(groups[1].graph));
  EXPECT_THAT(groups[0].arguments, ElementsAre(b.x, b.w));
  EXPECT_THAT(groups[1].arguments, ElementsAre(groups[0].outputs[0], b.w));
  EXPECT_EQ(groups[1].graph.value(1).role, Role::Constant);
}

TEST(Partition, ResidualAddJoinsTheLaterConv) {
  Builder b;
  ValueId first = b.conv(b.x), second = b.conv(first);
  b.graph.addOutput(b.relu(b.add(second, first)));
  auto groups = groupsOf(b.graph);
  EXPECT_THAT(shapeOf(groups), ElementsAre("conv", "conv+pointwise+pointwise"));
  // The group reads `first` twice, as one argument.
  EXPECT_THAT(groups[1].arguments, ElementsAre(first, b.w));
}

TEST(Partition, TwoBranchesMeetWithoutACycle) {
  Builder b;
  ValueId left = b.relu(b.conv(b.x)), right = b.conv(b.x);
  b.graph.addOutput(b.add(left, right));
  auto groups = groupsOf(b.graph);
  EXPECT_THAT(shapeOf(groups), ElementsAre("conv+pointwise", "conv+pointwise"));
  EXPECT_THAT(groups[1].arguments, ElementsAre(b.x, b.w, left));
}

TEST(Partition, AGroupNeverWaitsForWhatWaitsForIt) {
  // add(a, b) may not join a's group: b is made from a, outside of it.
  Builder b;
  ValueId a = b.conv(b.x), other = b.mlir(a);
  b.graph.addOutput(b.add(a, other));
  auto groups = groupsOf(b.graph);
  EXPECT_THAT(shapeOf(groups), ElementsAre("conv", "mlir", "pointwise"));
}

TEST(Partition, GradientsOfInputsTakeATailWhereAllPixelsMeetTaps) {
  Builder b;
  b.graph.addOutput(b.relu(b.conv(b.relu(b.x), Op::ConvGradInput)));
  EXPECT_THAT(shapeOf(groupsOf(b.graph)),
              ElementsAre("pointwise", "conv_grad_input+pointwise"));
  auto shape = [](const std::string &filter, const std::string &dilation) {
    auto graph = parseGraph(
        "boo.graph 1\n%0 = input f32[1,2,4]\n%1 = input f32[2,2," + filter +
        "]\n%2 = conv_grad_input(%0, %1) {acc = f32, dilation = [" + dilation +
        "], groups = 1, pad_hi = [2], pad_lo = [2], size = [6], stride = [2]} "
        ": f32[1,2,6]\n%3 = pointwise(%2) {fn = \"relu\"} : f32[1,2,6]\n"
        "return %3");
    EXPECT_TRUE(graph.isOk()) << graph.status().toString();
    return shapeOf(groupsOf(*graph));
  };
  EXPECT_THAT(shape("3", "1"), ElementsAre("conv_grad_input+pointwise"));
  // Every other pixel is left out.
  EXPECT_THAT(shape("2", "2"), ElementsAre("conv_grad_input", "pointwise"));
}

TEST(Partition, GradientsOfFiltersTakeNoTail) {
  auto graph = parseGraph(
      "boo.graph 1\n%0 = input f32[1,2,4]\n%1 = input f32[1,2,4]\n%2 = "
      "conv_grad_weight(%0, %1) {acc = f32, dilation = [1], groups = 1, pad_hi "
      "= [0], pad_lo = [0], size = [1], stride = [1]} : f32[2,2,1]\n"
      "%3 = pointwise(%2) {fn = \"relu\"} : f32[2,2,1]\nreturn %3");
  ASSERT_TRUE(graph.isOk()) << graph.status().toString();
  EXPECT_THAT(shapeOf(groupsOf(*graph)),
              ElementsAre("conv_grad_weight", "pointwise"));
}

TEST(Partition, SeveralUsersAndOutputsStay) {
  Builder b;
  ValueId a = b.conv(b.x);
  ValueId tail = b.relu(a);
  b.graph.addOutput(a);
  b.graph.addOutput(b.relu(tail));
  b.graph.addOutput(b.conv(tail));
  EXPECT_THAT(shapeOf(groupsOf(b.graph)),
              ElementsAre("conv", "pointwise", "pointwise", "conv"));
}

TEST(Partition, OneUserMayReadTwice) {
  Builder b;
  ValueId a = b.conv(b.x);
  b.graph.addOutput(b.add(a, a));
  EXPECT_THAT(shapeOf(groupsOf(b.graph)), ElementsAre("conv+pointwise"));
}

TEST(Partition, SizesMustAgree) {
  Builder b;
  TensorType channel = TensorType::contiguous(DType::F32, {8, 1, 1});
  ValueId bias = b.graph.addArgument(channel);
  ValueId scaled = b.graph.addPointwise(PointwiseFn::Exp, {bias}, channel);
  b.graph.addOutput(b.add(b.conv(b.x), scaled));
  EXPECT_THAT(shapeOf(groupsOf(b.graph)),
              ElementsAre("pointwise", "conv+pointwise"));
}

TEST(Partition, LoneRunsThatMeetAreOneGroup) {
  Builder b;
  ValueId left = b.relu(b.x), right = b.relu(b.relu(b.x));
  b.graph.addOutput(b.add(left, right));
  EXPECT_THAT(shapeOf(groupsOf(b.graph)),
              ElementsAre("pointwise+pointwise+pointwise+pointwise"));
}

TEST(Partition, AnAnchorsTailTakesNoSideRun) {
  // What is first in a group with an anchor is the anchor.
  Builder b;
  ValueId c = b.conv(b.x), side = b.relu(b.x);
  b.graph.addOutput(b.add(side, c));
  auto groups = groupsOf(b.graph);
  EXPECT_THAT(shapeOf(groups), ElementsAre("pointwise", "conv+pointwise"));
}

/// Nodes and arguments of each group, in order.
std::vector<std::pair<size_t, size_t>>
lengthsOf(const std::vector<Group> &groups) {
  std::vector<std::pair<size_t, size_t>> lengths;
  for (const Group &group : groups)
    lengths.emplace_back(group.graph.nodes().size(), group.arguments.size());
  return lengths;
}

TEST(Partition, LongTailsGoOnInLoneGroups) {
  Builder b;
  ValueId value = b.conv(b.x);
  for (size_t i = 0; i != 2 * maxTailNodes + 3; ++i)
    value = b.relu(value);
  b.graph.addOutput(value);
  auto groups = groupsOf(b.graph);
  using Pair = std::pair<size_t, size_t>;
  EXPECT_THAT(lengthsOf(groups),
              ElementsAre(Pair(1 + maxTailNodes, 2), Pair(maxTailNodes, 1),
                          Pair(3, 1)));
  EXPECT_THAT(groups[1].arguments, ElementsAre(groups[0].outputs[0]));
  EXPECT_THAT(groups[2].arguments, ElementsAre(groups[1].outputs[0]));
  EXPECT_TRUE(makePlan(b.graph).isOk());
}

TEST(Partition, WhatPassesBetweenPiecesOfATailHasItsNodesType) {
  Builder b;
  ValueId value = b.conv(b.x);
  TensorType half = b.type;
  half.dtype = DType::F16;
  for (size_t i = 0; i != maxTailNodes; ++i)
    value = i + 1 == maxTailNodes
                ? b.graph.addNode(Op::Cast, {value}, {{"to", DType::F16}},
                                  {half})[0]
                : b.relu(value);
  b.graph.addOutput(b.graph.addPointwise(PointwiseFn::Relu, {value}, half));
  auto groups = groupsOf(b.graph);
  ASSERT_EQ(groups.size(), 2u);
  const Graph &rest = groups[1].graph;
  EXPECT_EQ(rest.value(rest.arguments()[0]).type.dtype, DType::F16);
}

TEST(Partition, TailsOfManyOperandsGoOnInLoneGroups) {
  Builder b;
  ValueId value = b.conv(b.x);
  for (size_t i = 0; i != 2 * maxTailOperands + 4; ++i)
    value = b.add(value, b.graph.addArgument(b.type));
  b.graph.addOutput(value);
  auto groups = groupsOf(b.graph);
  // The value that a piece goes on with is one of its operands; the anchor's
  // input and filter are none.
  using Pair = std::pair<size_t, size_t>;
  EXPECT_THAT(lengthsOf(groups),
              ElementsAre(Pair(1 + maxTailOperands, 2 + maxTailOperands),
                          Pair(maxTailOperands - 1, maxTailOperands),
                          Pair(5, 6)));
}

TEST(Partition, LoneRunsThatMeetAndExceedAGroupStayApart) {
  Builder b;
  ValueId left = b.x, right = b.x;
  for (size_t i = 0; i != maxTailNodes / 2 + 1; ++i) {
    left = b.relu(left);
    right = b.relu(right);
  }
  b.graph.addOutput(b.add(left, right));
  using Pair = std::pair<size_t, size_t>;
  EXPECT_THAT(lengthsOf(groupsOf(b.graph)),
              ElementsAre(Pair(maxTailNodes / 2 + 1, 1),
                          Pair(maxTailNodes / 2 + 2, 2)));
}

TEST(Partition, DeadNodesAndInnerStridesLeaveNoTrace) {
  Builder plain, odd;
  plain.graph.addOutput(plain.relu(plain.conv(plain.x)));
  ValueId c = odd.conv(odd.x);
  odd.mlir(c);
  odd.graph.addOutput(odd.relu(c));
  EXPECT_EQ(printGraph(groupsOf(plain.graph)[0].graph),
            printGraph(groupsOf(odd.graph)[0].graph));
  Builder strided;
  strided.type = TensorType::permuted(DType::F32, {1, 8, 4, 4}, {0, 2, 3, 1});
  c = strided.conv(strided.x);
  strided.type = plain.type;
  strided.graph.addOutput(strided.relu(c));
  EXPECT_EQ(printGraph(groupsOf(plain.graph)[0].graph),
            printGraph(groupsOf(strided.graph)[0].graph));
}

TEST(Partition, MlirNodesStandAloneWithAllResults) {
  Builder b;
  auto results =
      b.graph.addNode(Op::Mlir, {b.conv(b.x)}, {{"module", std::string("m")}},
                      {b.type, b.type});
  b.graph.addOutput(b.relu(results[1]));
  auto groups = groupsOf(b.graph);
  EXPECT_THAT(shapeOf(groups), ElementsAre("conv", "mlir", "pointwise"));
  EXPECT_THAT(groups[1].outputs, ElementsAre(results[0], results[1]));
}

TEST(Partition, OverwrittenArguments) {
  Builder b;
  ValueId state = b.graph.addArgument(b.type, Role::InOut);
  b.graph.addOutput(b.add(b.conv(b.x), state), state);
  auto groups = groupsOf(b.graph);
  ASSERT_EQ(groups.size(), 1u);
  EXPECT_THAT(printGraph(groups[0].graph),
              testing::AllOf(HasSubstr("%2 = inout f32"),
                             HasSubstr("return %4 into %2")));
  EXPECT_TRUE(makePlan(b.graph).isOk());
}

TEST(Plan, RefusesToReadWhatItHasOverwritten) {
  Builder b;
  ValueId state = b.graph.addArgument(b.type, Role::InOut);
  b.graph.addOutput(b.conv(state), state);
  StatusOr<Plan> plan = makePlan(b.graph);
  ASSERT_FALSE(plan.isOk());
  EXPECT_EQ(plan.status().code(), StatusCode::Unsupported);
  EXPECT_THAT(plan.status().message(), HasSubstr("inout"));
}

TEST(Plan, RunningStatisticsMoveInPlace) {
  auto plan = [](bool crossed) {
    Graph graph;
    TensorType type = TensorType::contiguous(DType::F32, {4, 8, 9});
    TensorType channel = TensorType::contiguous(DType::F32, {1, 8, 1});
    std::vector<ValueId> operands{graph.addArgument(type)};
    for (int i = 0; i != 4; ++i)
      operands.push_back(
          graph.addArgument(channel, i < 2 ? Role::Input : Role::InOut));
    std::vector<ValueId> made =
        graph.addNode(Op::BatchNorm, operands,
                      {{"acc", DType::F32},
                       {"eps", 1e-5},
                       {"momentum", 0.1},
                       {"stats", true}},
                      {type, channel, channel, channel, channel});
    for (size_t i = 0; i != 3; ++i)
      graph.addOutput(made[i]);
    graph.addOutput(made[3], operands[crossed ? 4 : 3]);
    graph.addOutput(made[4], operands[crossed ? 3 : 4]);
    return makePlan(graph).status();
  };
  EXPECT_TRUE(plan(false).isOk()) << plan(false).toString();
  // The mean would be gone when the variance's place is read.
  EXPECT_EQ(plan(true).code(), StatusCode::Unsupported);
}

/// The groups between which each value must keep its memory.
struct Lifetime {
  ValueId value;
  size_t first, last;
};

std::vector<Lifetime> lifetimesOf(const Plan &plan) {
  std::vector<Lifetime> lifetimes;
  for (size_t i = 0; i != plan.groups.size(); ++i)
    for (ValueId id : plan.groups[i].outputs) {
      if (plan.arenaOffsets[size_t(id)] < 0)
        continue;
      Lifetime lifetime = {id, i, i};
      for (size_t j = i; j != plan.groups.size(); ++j)
        for (ValueId argument : plan.groups[j].arguments)
          if (argument == id)
            lifetime.last = j;
      lifetimes.push_back(lifetime);
    }
  return lifetimes;
}

void expectNoOverlap(const Plan &plan) {
  auto lifetimes = lifetimesOf(plan);
  for (const Lifetime &a : lifetimes) {
    int64_t begin = plan.arenaOffsets[size_t(a.value)];
    int64_t end = begin + plan.graph.value(a.value).type.spanBytes();
    EXPECT_EQ(begin % 64, 0);
    EXPECT_LE(end, plan.arenaBytes);
    for (const Lifetime &b : lifetimes) {
      if (a.value == b.value || a.last < b.first || b.last < a.first)
        continue;
      int64_t other = plan.arenaOffsets[size_t(b.value)];
      EXPECT_TRUE(end <= other ||
                  other + plan.graph.value(b.value).type.spanBytes() <= begin)
          << a.value << " and " << b.value;
    }
  }
}

TEST(Plan, AChainNeedsTwoBlocks) {
  Builder b;
  ValueId value = b.x;
  for (int i = 0; i != 10; ++i)
    value = b.relu(b.conv(value));
  b.graph.addOutput(value);
  StatusOr<Plan> plan = makePlan(b.graph);
  ASSERT_TRUE(plan.isOk());
  EXPECT_EQ(plan->groups.size(), 10u);
  EXPECT_EQ(plan->arenaBytes, 2 * b.type.spanBytes());
  expectNoOverlap(*plan);
  // Arguments, outputs and what stays inside a group have no place.
  EXPECT_EQ(lifetimesOf(*plan).size(), 9u);
  EXPECT_EQ(plan->arenaOffsets[size_t(plan->graph.outputs()[0].value)], -1);
}

TEST(Plan, RandomGraphsKeepLiveBlocksApart) {
  uint32_t state = 1;
  auto random = [&](size_t below) {
    state = state * 1664525 + 1013904223;
    return size_t(state >> 8) % below;
  };
  for (int round = 0; round != 200; ++round) {
    Builder b;
    std::vector<ValueId> values = {b.x};
    for (int i = 0; i != 20; ++i) {
      ValueId p = values[random(values.size())];
      ValueId q = values[random(values.size())];
      switch (random(4)) {
      case 0:
        values.push_back(b.conv(p));
        break;
      case 1:
        values.push_back(b.relu(p));
        break;
      case 2:
        values.push_back(b.add(p, q));
        break;
      default:
        values.push_back(b.mlir(p));
      }
    }
    b.graph.addOutput(values.back());
    if (values[10] != values.back())
      b.graph.addOutput(values[10]);
    StatusOr<Plan> plan = makePlan(b.graph);
    ASSERT_TRUE(plan.isOk()) << plan.status().toString();
    expectNoOverlap(*plan);
    // Every group finds its arguments ready.
    std::vector<bool> ready(plan->graph.values().size());
    for (ValueId id : plan->graph.arguments())
      ready[size_t(id)] = true;
    for (const Group &group : plan->groups) {
      for (ValueId id : group.arguments)
        EXPECT_TRUE(ready[size_t(id)]);
      for (ValueId id : group.outputs)
        ready[size_t(id)] = true;
    }
    for (const Output &output : plan->graph.outputs())
      EXPECT_TRUE(ready[size_t(output.value)]);
  }
}

} // namespace
