//===- ReferenceTest.cpp - The judge, judged ------------------------------===//
//
// Against loops written straight from ConvProblem.h's formulas, on buffers of
// any layout; and against kernels played in float, which must stay in bounds.
//
//===----------------------------------------------------------------------===//

#include "boo/ops/Reference.h"
#include "boo/ops/conv/ConvProblem.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <gmock/gmock.h>
#include <limits>
#include <numeric>
#include <random>

using namespace boo;
using testing::HasSubstr;
using List = std::vector<int64_t>;

namespace {

constexpr double NaN = std::numeric_limits<double>::quiet_NaN();
constexpr double Inf = std::numeric_limits<double>::infinity();

struct Random {
  std::mt19937_64 engine;
  int64_t integer(int64_t low, int64_t high) {
    return std::uniform_int_distribution<int64_t>(low, high)(engine);
  }
  double real() { return std::uniform_real_distribution<>(-1, 1)(engine); }
};

/// A dense type with its dimensions laid out in a random order.
TensorType randomLayout(Random &random, DType dtype, const List &sizes) {
  std::vector<size_t> order(sizes.size());
  std::iota(order.begin(), order.end(), 0);
  std::shuffle(order.begin(), order.end(), random.engine);
  return TensorType::permuted(dtype, sizes, order);
}

/// A convolution, or one of its gradients.
Graph randomConv(Random &random, DType dtype, Op op) {
  size_t spatial = size_t(random.integer(1, 3));
  int64_t groups = random.integer(1, 3);
  List in = {random.integer(1, 3), groups * random.integer(1, 5)};
  List filter = {groups * random.integer(1, 9), in[1] / groups};
  List out = {in[0], filter[0]};
  List stride, dilation, padLo, padHi;
  for (size_t i = 0; i != spatial; ++i) {
    filter.push_back(random.integer(1, 3));
    stride.push_back(random.integer(1, 3));
    dilation.push_back(random.integer(1, 2));
    padLo.push_back(random.integer(0, 3));
    padHi.push_back(random.integer(0, 3));
    int64_t extent = (filter.back() - 1) * dilation.back() + 1;
    in.push_back(random.integer(1, 5) +
                 std::max<int64_t>(0, extent - padLo[i] - padHi[i]));
    out.push_back((in.back() + padLo[i] + padHi[i] - extent) / stride[i] + 1);
  }
  AttributeMap attributes{
      {"stride", stride},
      {"dilation", dilation},
      {"pad_lo", padLo},
      {"pad_hi", padHi},
      {"groups", groups},
      {"acc", dtype == DType::F64 ? DType::F64 : DType::F32}};
  List first = in, second = filter, result = out;
  if (op == Op::ConvGradInput)
    first = out, result = in;
  if (op == Op::ConvGradWeight)
    first = out, second = in, result = filter;
  if (op != Op::Conv)
    attributes["size"] = List(result.begin() + 2, result.end());
  Graph graph;
  ValueId a = graph.addArgument(randomLayout(random, dtype, first));
  ValueId b = graph.addArgument(randomLayout(random, dtype, second));
  graph.addOutput(graph.addNode(op, {a, b}, attributes,
                                {randomLayout(random, dtype, result)})[0]);
  EXPECT_TRUE(graph.verify().isOk()) << graph.verify().toString();
  return graph;
}

/// Buffers of a Graph's arguments.
struct Buffers {
  std::vector<std::vector<char>> bytes;
  std::vector<const void *> pointers;

  template <typename Fill> Buffers(const Graph &graph, Fill fill) {
    for (ValueId id : graph.arguments()) {
      const TensorType &type = graph.value(id).type;
      bytes.emplace_back(size_t(type.spanBytes()));
      int64_t count = type.spanBytes() / dtypeBytes(type.dtype);
      for (int64_t i = 0; i != count; ++i)
        storeElement(bytes.back().data(), type.dtype, i, fill());
    }
    for (const auto &buffer : bytes)
      pointers.push_back(buffer.data());
  }
};

/// ConvProblem.h's formulas, accumulated in Acc, in row-major logical order:
/// each product of the forward convolution, summed up where it belongs.
template <typename Acc>
std::vector<double> naiveConv(const ConvProblem &p, const Buffers &buffers) {
  using Index = std::array<int64_t, 3>;
  auto volume = [](Index s) { return s[0] * s[1] * s[2]; };
  auto flat = [](Index at, Index s) {
    return (at[0] * s[1] + at[1]) * s[2] + at[2];
  };
  auto each = [](Index sizes, auto body) {
    Index at;
    for (at[0] = 0; at[0] != sizes[0]; ++at[0])
      for (at[1] = 0; at[1] != sizes[1]; ++at[1])
        for (at[2] = 0; at[2] != sizes[2]; ++at[2])
          body(at);
  };
  auto address = [](const ConvProblem::Strides &s, int64_t outer,
                    int64_t channel, Index at) {
    return outer * s.outer + channel * s.channel + at[0] * s.spatial[0] +
           at[1] * s.spatial[1] + at[2] * s.spatial[2];
  };
  bool wantsInput = p.direction == ConvDirection::InputGradient;
  bool wantsFilter = p.direction == ConvDirection::WeightGradient;
  std::vector<Acc> sums(
      size_t(wantsInput    ? p.batch * p.inChannels * volume(p.in)
             : wantsFilter ? p.outChannels * p.inPerGroup() * volume(p.filter)
                           : p.batch * p.outChannels * volume(p.out)));
  auto term = [&](int64_t n, int64_t k, int64_t c, Index o, Index f) {
    Index i;
    for (size_t d = 0; d != 3; ++d) {
      i[d] = o[d] * p.stride[d] + f[d] * p.dilation[d] - p.padLo[d];
      if (i[d] < 0 || i[d] >= p.in[d])
        return;
    }
    int64_t channel = k / p.outPerGroup() * p.inPerGroup() + c;
    int64_t x = address(p.inStrides, n, channel, i);
    int64_t w = address(p.filterStrides, k, c, f);
    int64_t y = address(p.outStrides, n, k, o);
    int64_t result = (n * p.outChannels + k) * volume(p.out) + flat(o, p.out);
    int64_t first = x, second = w;
    if (wantsInput) {
      result = (n * p.inChannels + channel) * volume(p.in) + flat(i, p.in);
      first = y;
    } else if (wantsFilter) {
      result = (k * p.inPerGroup() + c) * volume(p.filter) + flat(f, p.filter);
      first = y, second = x;
    }
    sums[size_t(result)] +=
        Acc(loadElement(buffers.pointers[0], p.dtype, first)) *
        Acc(loadElement(buffers.pointers[1], p.dtype, second));
  };
  for (int64_t n = 0; n != p.batch; ++n)
    for (int64_t k = 0; k != p.outChannels; ++k)
      for (int64_t c = 0; c != p.inPerGroup(); ++c)
        each(p.out, [&](Index o) {
          each(p.filter, [&](Index f) { term(n, k, c, o, f); });
        });
  return {sums.begin(), sums.end()};
}

double rounded(double value, DType dtype) {
  double bits;
  storeElement(&bits, dtype, 0, value);
  return loadElement(&bits, dtype, 0);
}

class ReferenceOfDType : public testing::TestWithParam<DType> {};

TEST_P(ReferenceOfDType, AgreesWithNaiveLoops) {
  DType dtype = GetParam();
  Random random;
  for (int round = 0; round != 300; ++round) {
    Op ops[] = {Op::Conv, Op::ConvGradInput, Op::ConvGradWeight};
    Graph graph = randomConv(random, dtype, ops[round % 3]);
    Buffers buffers(graph, [&] { return random.real(); });
    const TensorType &type = graph.value(graph.outputs()[0].value).type;
    ConvProblem p = convProblem(graph, graph.nodes()[0], type);
    auto outputs = evaluateReference(graph, buffers.pointers, "direct",
                                     int(random.integer(1, 3)));
    ASSERT_TRUE(outputs.isOk()) << outputs.status().toString();
    const ReferenceOutput &output = (*outputs)[0];
    std::vector<double> exact = naiveConv<double>(p, buffers);
    std::vector<double> kernel =
        dtype == DType::F64 ? exact : naiveConv<float>(p, buffers);
    ASSERT_EQ(output.values.size(), exact.size());
    ASSERT_EQ(output.bounds.size(), exact.size());
    double terms = double(p.reduction());
    for (size_t i = 0; i != exact.size(); ++i) {
      ASSERT_NEAR(output.values[i], exact[i], 1e-15 * terms)
          << printGraph(graph) << i;
      ASSERT_LE(std::fabs(rounded(kernel[i], dtype) - output.values[i]),
                output.bounds[i])
          << printGraph(graph) << i;
      // Operands are at most 1: so is each product.
      double eps = dtypeEpsilon(p.accType), last = dtypeEpsilon(dtype);
      ASSERT_LE(output.bounds[i], 1.01 * (terms * (terms + 4) * eps +
                                          last * std::fabs(output.values[i])) +
                                      1e-7)
          << i;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(DTypes, ReferenceOfDType,
                         testing::Values(DType::F64, DType::F32, DType::F16,
                                         DType::BF16),
                         [](const auto &info) {
                           return std::string(dtypeName(info.param));
                         });

Graph parse(std::string_view text) {
  StatusOr<Graph> graph = parseGraph(text);
  EXPECT_TRUE(graph.isOk()) << graph.status().toString();
  return *graph;
}

/// One output of a Graph whose arguments are contiguous f32 tensors.
ReferenceOutput evaluate(std::string_view text,
                         std::vector<std::vector<float>> arguments) {
  std::vector<const void *> pointers;
  for (const auto &argument : arguments)
    pointers.push_back(argument.data());
  auto outputs = evaluateReference(parse(text), pointers, "direct", 2);
  EXPECT_TRUE(outputs.isOk()) << outputs.status().toString();
  return outputs.isOk() ? (*outputs)[0] : ReferenceOutput();
}

/// The third time that it is asked, and from then on.
bool afterSomeWork() {
  static std::atomic<int> asked = 0;
  return ++asked > 2;
}

TEST(Reference, GivesUpWhenItIsTold) {
  // Minutes of work.
  Graph graph = parse("boo.graph 1\n%0 = input f32[1,64,100000]\n"
                      "%1 = input f32[64,64,2000]\n"
                      "%2 = conv(%0, %1) {acc = f32, dilation = [1], "
                      "groups = 1, pad_hi = [0], pad_lo = [0], stride = [1]} : "
                      "f32[1,64,98001]\nreturn %2\n");
  std::vector<float> input(6400000), filter(8192000);
  const void *pointers[] = {input.data(), filter.data()};
  for (int threads : {1, 2}) {
    auto outputs =
        evaluateReference(graph, pointers, "direct", {threads, afterSomeWork});
    ASSERT_FALSE(outputs.isOk());
    EXPECT_EQ(outputs.status().toString(), cancelledReference().toString());
  }
}

const char PaddedConv[] =
    "boo.graph 1\n%0 = input f32[1,1,2]\n%1 = input f32[1,1,3]\n"
    "%2 = conv(%0, %1) {acc = f32, dilation = [1], groups = 1, pad_hi = [1], "
    "pad_lo = [1], stride = [1]} : f32[1,1,2]\nreturn %2\n";

TEST(Reference, SpecialValuesAreCertain) {
  ReferenceOutput output = evaluate(PaddedConv, {{1, INFINITY}, {1, 2, 0}});
  EXPECT_TRUE(std::isnan(output.values[0])); // 1 * 2 + inf * 0
  EXPECT_EQ(output.values[1], Inf);
  EXPECT_EQ(output.bounds[0], 0);
  EXPECT_EQ(output.bounds[1], 0);
  // Padding is a zero, and zero times a NaN is one.
  output = evaluate(PaddedConv, {{1, 1}, {NAN, 2, 0}});
  EXPECT_TRUE(std::isnan(output.values[0]));
}

TEST(Reference, NothingIsKnownNearOverflow) {
  ReferenceOutput output =
      evaluate(PaddedConv, {{3e38f, -3e38f}, {1.0f, 1.0f, 1.0f}});
  EXPECT_EQ(output.values[0], 0);
  EXPECT_EQ(output.bounds[0], Inf);
  output = evaluate("boo.graph 1\n%0 = input f32[2]\n"
                    "%1 = cast(%0) {to = f16} : f16[2]\nreturn %1",
                    {{65504, 65530}});
  EXPECT_EQ(output.values[1], 65530);
  EXPECT_EQ(output.bounds[1], Inf);
}

TEST(Reference, TinyProductsStayInBounds) {
  ReferenceOutput output =
      evaluate(PaddedConv, {{1e-30f, 1e-30f}, {1e-15f, 1e-15f, 1e-15f}});
  for (int i = 0; i != 2; ++i) {
    float kernel = 1e-30f * 1e-15f + 1e-30f * 1e-15f;
    EXPECT_LE(std::fabs(kernel - output.values[size_t(i)]),
              output.bounds[size_t(i)]);
    EXPECT_LE(output.bounds[size_t(i)], 1e-44);
  }
}

TEST(Reference, TailIsNotRoundedInBetween) {
  // bf16: 1 * 1 + 2^-9 would round back to 1, and 1 - 1 to 0.
  Graph graph = parse("boo.graph 1\n%0 = input bf16[1,2,1]\n"
                      "%1 = input bf16[1,2,1]\n%2 = input bf16[1]\n"
                      "%3 = conv(%0, %1) {acc = f32, dilation = [1], groups = "
                      "1, pad_hi = [0], pad_lo = [0], stride = [1]} : "
                      "bf16[1,1,1]\n"
                      "%4 = pointwise(%3, %2) {fn = \"sub\"} : bf16[1,1,1]\n"
                      "return %4");
  std::vector<double> fill = {1, 1, 1, 0x1p-9, 1};
  size_t next = 0;
  Buffers buffers(graph, [&] { return fill[next++]; });
  auto outputs = evaluateReference(graph, buffers.pointers, "direct", 1);
  ASSERT_TRUE(outputs.isOk());
  EXPECT_EQ((*outputs)[0].values[0], 0x1p-9);
  EXPECT_LE((*outputs)[0].bounds[0], 0x1p-16);
}

TEST(Reference, GroupsRoundWhatTheyPassOn) {
  // exp is used twice, so it is a group of its own and is stored as f16.
  const char Text[] = "boo.graph 1\n%0 = input f32[1]\n"
                      "%1 = cast(%0) {to = f16} : f16[1]\n"
                      "%2 = pointwise(%1) {fn = \"exp\"} : f16[1]\n"
                      "%3 = pointwise(%2) {fn = \"relu\"} : f16[1]\n"
                      "%4 = cast(%3) {to = f32} : f32[1]\n"
                      "return %4OTHER";
  std::string once = Text, twice = Text;
  once.resize(once.size() - 5);
  twice.replace(twice.size() - 5, 5, ", %2");
  double fused = evaluate(once, {{1}}).bounds[0];
  double stored = evaluate(twice, {{1}}).bounds[0];
  EXPECT_LT(fused, 1e-5);
  EXPECT_GT(stored, 1e-3);
  EXPECT_LT(stored, 2e-3);
}

TEST(Reference, ErrorsPassThroughAConv) {
  // The conv's input is itself a stored f16 result.
  const char Text[] =
      "boo.graph 1\n%0 = input f16[1,2,1]\n%1 = input f16[1,2,1]\n"
      "%2 = pointwise(%0) {fn = \"exp\"} : f16[1,2,1]\n"
      "%3 = conv(%2, %1) {acc = f32, dilation = [1], groups = 1, pad_hi = [0], "
      "pad_lo = [0], stride = [1]} : f16[1,1,1]\nreturn %3";
  Graph graph = parse(Text);
  std::vector<double> fill = {1, 2, 1, -0.37};
  size_t next = 0;
  Buffers buffers(graph, [&] { return rounded(fill[next++], DType::F16); });
  auto outputs = evaluateReference(graph, buffers.pointers, "direct", 1);
  ASSERT_TRUE(outputs.isOk());
  double w = rounded(-0.37, DType::F16);
  double a = rounded(std::exp(1), DType::F16);
  double b = rounded(std::exp(2), DType::F16);
  const ReferenceOutput &output = (*outputs)[0];
  EXPECT_DOUBLE_EQ(output.values[0], std::exp(1) + w * std::exp(2));
  EXPECT_LE(std::fabs(rounded(a + w * b, DType::F16) - output.values[0]),
            output.bounds[0]);
  EXPECT_GT(output.bounds[0], 0x1p-11 * std::exp(1));
  EXPECT_LT(output.bounds[0], 0x1p-9 * std::exp(2));
}

TEST(Reference, BroadcastsByStridesAndSizes) {
  ReferenceOutput output =
      evaluate("boo.graph 1\n%0 = input f32[2,3]{0,1}\n"
               "%1 = input f32[2,1]\n"
               "%2 = pointwise(%0, %1) {fn = \"add\"} : f32[2,3]{1,2}\n"
               "return %2",
               {{1, 2, 3}, {10, 20}});
  EXPECT_THAT(output.values, testing::ElementsAre(11, 12, 13, 21, 22, 23));
}

TEST(Reference, EmptyTensorsAreFine) {
  ReferenceOutput output =
      evaluate("boo.graph 1\n%0 = input f32[2,0]\n"
               "%1 = pointwise(%0) {fn = \"exp\"} : f32[2,0]\nreturn %1",
               {{}});
  EXPECT_TRUE(output.values.empty());
}

TEST(Reference, Refusals) {
  Graph graph = parse(PaddedConv);
  std::vector<float> data(3);
  const void *pointers[] = {data.data(), data.data()};
  auto message = [&](const Graph &g, size_t count, const char *algorithm) {
    auto outputs =
        evaluateReference(g, std::span(pointers, count), algorithm, 1);
    return outputs.isOk() ? "ok" : outputs.status().message();
  };
  EXPECT_EQ(message(graph, 2, "direct"), "ok");
  EXPECT_THAT(message(graph, 1, "direct"),
              HasSubstr("has 2 arguments and 1 were given"));
  EXPECT_THAT(message(graph, 2, "guess"), HasSubstr("algorithm `guess`"));
  EXPECT_THAT(
      message(parse("boo.graph 1\n%0 = mlir() {module = \"\"} : f32[1]\n"
                    "return %0"),
              0, "mlir"),
      HasSubstr("an mlir node has no reference"));
  EXPECT_THAT(message(parse("boo.graph 1\n%0 = input f32[s0]{1}\n"
                            "%1 = pointwise(%0) {fn = \"exp\"} : f32[s0]{1}\n"
                            "return %1"),
                      1, ""),
              HasSubstr("symbolic"));
}

TEST(Elements, EveryDTypeStoresAndLoads) {
  char buffer[16] = {};
  for (DType dtype : {DType::F64, DType::F32, DType::F16, DType::BF16,
                      DType::I64, DType::I32, DType::I8}) {
    storeElement(buffer, dtype, 1, -3);
    EXPECT_EQ(loadElement(buffer, dtype, 1), -3) << dtypeName(dtype);
  }
  storeElement(buffer, DType::I1, 1, 5);
  EXPECT_EQ(loadElement(buffer, DType::I1, 1), 1);
  auto stored = [&](DType dtype, double value) {
    storeElement(buffer, dtype, 0, value);
    return loadElement(buffer, dtype, 0);
  };
  EXPECT_EQ(stored(DType::I8, 1e9), 127);
  EXPECT_EQ(stored(DType::I8, -1e9), -128);
  EXPECT_EQ(stored(DType::I64, 1e300), 0x1p63);
  EXPECT_EQ(stored(DType::I32, 2.5), 2);
  EXPECT_EQ(stored(DType::I32, NaN), 0);
  EXPECT_TRUE(std::isnan(stored(DType::BF16, NaN)));
  // 1 + 2^-11 + 2^-40: by way of f32 it would become a tie and go to even.
  EXPECT_EQ(stored(DType::F16, 1 + 0x1p-11 + 0x1p-40), 1 + 0x1p-10);
}

} // namespace
