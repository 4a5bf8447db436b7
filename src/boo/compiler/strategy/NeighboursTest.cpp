//===- NeighboursTest.cpp - Steps of a search for Schedules ---------------===//

#include "boo/compiler/strategy/Neighbours.h"

#include <gmock/gmock.h>

#include <set>

using namespace boo;
using namespace boo::compiler;
using testing::Contains;
using testing::Each;
using testing::IsEmpty;
using testing::Not;

namespace {

constexpr const char *Conv3x3 = R"(boo.graph 1
%0 = input f32[1,64,56,56]{0,1,3584,64}
%1 = input f32[64,64,3,3]{576,1,192,64}
%2 = conv(%0, %1) {acc = f32, dilation = [1, 1], groups = 1, pad_hi = [1, 1], pad_lo = [1, 1], stride = [1, 1]} : f32[1,64,56,56]{0,1,3584,64}
return %2
)";
constexpr const char *Softmax = R"(boo.graph 1
%0 = input f32[64,1000]{1000,1}
%1 = softmax(%0) {acc = f32, axis = 1, log = false} : f32[64,1000]{1000,1}
return %1
)";
constexpr const char *ShortRows = R"(boo.graph 1
%0 = input f32[1000,40]{40,1}
%1 = softmax(%0) {acc = f32, axis = 1, log = false} : f32[1000,40]{40,1}
return %1
)";
constexpr const char *Matmul = R"(boo.graph 1
%0 = input f32[200,300]{300,1}
%1 = input f32[300,100]{100,1}
%2 = matmul(%0, %1) {acc = f32} : f32[200,100]{100,1}
return %2
)";
constexpr const char *Relu = R"(boo.graph 1
%0 = input f32[100,100]{100,1}
%1 = pointwise(%0) {fn = "relu"} : f32[100,100]{100,1}
return %1
)";

Target avx512() {
  Target target;
  target.isa = Isa::Avx512;
  target.cores = 2;
  return target;
}

Graph graphOf(const char *text) {
  auto graph = parseGraph(text);
  EXPECT_TRUE(graph.isOk()) << graph.status().message();
  return graph.isOk() ? canonicalize(*graph) : Graph();
}

Neighbours of(const char *text, std::string_view from = "",
              std::string_view math = "default") {
  auto result = neighboursOf(graphOf(text), avx512(), {math, false}, from);
  EXPECT_TRUE(result.isOk()) << result.status().message();
  return result.isOk() ? *result : Neighbours();
}

std::vector<Algorithm> algorithms(const Neighbours &neighbours) {
  std::vector<Algorithm> all;
  for (const Schedule &schedule : neighbours.steps)
    all.push_back(schedule.algorithm);
  return all;
}

} // namespace

TEST(Neighbours, eachIsWhatTheEmitterObeysAndStandsOnce) {
  for (const char *text : {Conv3x3, Softmax, ShortRows, Matmul, Relu}) {
    Graph graph = graphOf(text);
    Neighbours all = of(text);
    EXPECT_THAT(all.steps, Not(IsEmpty())) << text;
    std::set<std::string> seen{printSchedule(all.from)};
    for (const Schedule &schedule : all.steps) {
      std::string step = printSchedule(schedule);
      EXPECT_TRUE(seen.insert(step).second) << step;
      auto decision = decide(graph, avx512(), {}, step);
      ASSERT_TRUE(decision.isOk()) << decision.status().message();
      EXPECT_EQ(printSchedule(decision->schedule), step);
    }
  }
}

TEST(Neighbours, theFirstLineIsWhereTheyStart) {
  auto decision = decide(graphOf(Conv3x3), avx512(), {}, "");
  ASSERT_TRUE(decision.isOk());
  EXPECT_EQ(of(Conv3x3).from, decision->schedule);
  std::string text = printNeighbours(of(Conv3x3));
  EXPECT_EQ(text.substr(0, text.find('\n')), printSchedule(decision->schedule));
  EXPECT_EQ(text, printNeighbours(of(Conv3x3)));
}

TEST(Neighbours, otherAlgorithmsAreTriedWhereTheMathModeAllowsThem) {
  EXPECT_THAT(algorithms(of(Conv3x3, "algorithm=direct")),
              testing::AllOf(Contains(Algorithm::Winograd4x4),
                             Contains(Algorithm::Winograd2x2)));
  EXPECT_THAT(algorithms(of(Conv3x3, "algorithm=winograd-4x4")),
              testing::AllOf(Contains(Algorithm::Direct),
                             Contains(Algorithm::Winograd2x2)));
  EXPECT_THAT(algorithms(of(Conv3x3, "", "strict")), Each(Algorithm::Direct));
}

TEST(Neighbours, tilesThatTheRegistersHoldAndOtherDecisions) {
  Neighbours all = of(Matmul);
  std::set<std::pair<int64_t, int64_t>> tiles;
  bool chunks = false, inPlace = false;
  for (const Schedule &s : all.steps) {
    EXPECT_LE(s.mTile * s.nVectors + s.nVectors + 1, 32);
    tiles.emplace(s.mTile, s.nVectors);
    chunks |= s.wChunk != all.from.wChunk;
    inPlace |= s.filterInPlace != all.from.filterInPlace;
  }
  EXPECT_GE(tiles.size(), 8u);
  EXPECT_TRUE(chunks);
  EXPECT_TRUE(inPlace);
}

TEST(Neighbours, rowsThatGoTogetherMayGoAloneOrBeLanes) {
  Neighbours all = of(ShortRows);
  ASSERT_GT(all.from.mTile, 1);
  bool alone = false, lanes = false;
  for (const Schedule &s : all.steps) {
    alone |= s.dot && s.mTile == 1;
    lanes |= !s.dot && s.mTile == 1;
  }
  EXPECT_TRUE(alone);
  EXPECT_TRUE(lanes);
}

TEST(Neighbours, whatCannotBeDecidedIsAnError) {
  auto result = neighboursOf(graphOf(Conv3x3), avx512(), {}, "m_tile=0");
  EXPECT_FALSE(result.isOk());
  auto strict = neighboursOf(graphOf(Conv3x3), avx512(), {"strict", false},
                             "algorithm=winograd-4x4");
  EXPECT_FALSE(strict.isOk());
}
