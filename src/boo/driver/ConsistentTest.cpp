//===- ConsistentTest.cpp - Operands that belong together -----------------===//

#include "boo/driver/Consistent.h"
#include "boo/driver/Fill.h"
#include "boo/driver/commands/testing/Build.h"
#include "boo/ops/Reference.h"

#include <cmath>

using namespace boo;
using namespace boo::testing;

namespace {

/// The arguments of `gradient`, filled at random and made consistent.
class Arguments {
public:
  explicit Arguments(const Graph &gradient) : G(gradient) {
    FillSpec spec;
    for (ValueId id : G.arguments()) {
      Buffers.emplace_back(size_t(G.value(id).type.spanBytes()));
      fillTensor(G.value(id).type, Buffers.back().data(), spec);
      ++spec.operand;
      Pointers.push_back(Buffers.back().data());
    }
    makeConsistent(G, Pointers);
  }

  const void *data(size_t i) const { return Pointers[i]; }
  const TensorType &type(size_t i) const {
    return G.value(G.arguments()[i]).type;
  }

private:
  const Graph &G;
  std::vector<std::vector<char>> Buffers;
  std::vector<void *> Pointers;
};

/// Compares an argument with what it should be, but for its rounding.
void expectValues(const Arguments &arguments, size_t i,
                  const ReferenceOutput &expected) {
  const TensorType &type = arguments.type(i);
  std::vector<int64_t> at = elementPositions(type);
  ASSERT_EQ(at.size(), expected.values.size());
  for (size_t e = 0; e != at.size(); ++e) {
    double got = loadElement(arguments.data(i), type.dtype, at[e]);
    EXPECT_NEAR(got, expected.values[e], std::fabs(got) * 0x1p-8)
        << "argument " << i << ", element " << e;
  }
}

TEST(Consistent, attentions) {
  for (const char *flags :
       {"mhsa --seq 9 --kv_seq 13 --head_dim 6 --value_dim 5 --heads 4 "
        "--kv_heads 2 --batch 2",
        "mhsafp64 --seq 7 --head_dim 8 --heads 2 --causal 1 --layout bshd",
        "mhsabfp16 --seq 7 --head_dim 8 --heads 2 --mask bt --scale 0.5"}) {
    SCOPED_TRACE(flags);
    std::string line = flags;
    CommandGraph gradient = buildOf(line + " -F 2");
    CommandGraph forward = buildOf(line + " --logsumexp 1");
    Arguments arguments(gradient.graph);
    // Queries, keys, values; behind the gradient's other operands the mask.
    std::vector<const void *> operands;
    for (size_t i : {0u, 1u, 2u, 6u})
      if (i < gradient.graph.arguments().size())
        operands.push_back(arguments.data(i));
    auto expected = evaluateReference(forward.graph, operands, "attention", 1);
    ASSERT_TRUE(expected.isOk()) << expected.status().toString();
    expectValues(arguments, 3, (*expected)[0]);
    expectValues(arguments, 4, (*expected)[1]);
  }
}

} // namespace
