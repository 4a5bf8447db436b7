//===- ShapeInferenceOfRowsTest.cpp - Attentions, norms, poolings, … ------===//

#include "boo/graph/ShapeInference.h"

#include <gmock/gmock.h>

using namespace boo;
using testing::HasSubstr;

namespace {

using List = std::vector<int64_t>;

TensorType f32(List sizes) {
  return TensorType::contiguous(DType::F32, std::move(sizes));
}

std::string infer(Op op, const AttributeMap &attributes,
                  const std::vector<TensorType> &operands) {
  auto results = inferResults(op, attributes, operands);
  return results.isOk() ? printType((*results)[0]) : results.status().message();
}

TEST(ShapeInference, Attention) {
  AttributeMap attention{{"acc", DType::F32},
                         {"causal", false},
                         {"logsumexp", true},
                         {"scale", 0.125}};
  TensorType q = f32({2, 8, 5, 16}), k = f32({2, 4, 7, 16}),
             v = f32({2, 4, 7, 3});
  auto results = inferResults(Op::Attention, attention, {q, k, v});
  ASSERT_TRUE(results.isOk()) << results.status().message();
  ASSERT_EQ(results->size(), 2u);
  EXPECT_EQ(printType((*results)[0]), "f32[2,8,5,3]{120,15,3,1}");
  EXPECT_EQ(printType((*results)[1]), "f32[2,8,5]{40,5,1}");
  for (List mask : {List{2, 8, 5, 7}, List{5, 7}, List{2, 1, 1, 7}, List{}})
    EXPECT_EQ(infer(Op::Attention, attention, {q, k, v, f32(mask)}),
              "f32[2,8,5,3]{120,15,3,1}");
  auto refused = [&](TensorType q, TensorType k, TensorType v) {
    return infer(Op::Attention, attention, {q, k, v});
  };
  EXPECT_THAT(infer(Op::Attention, attention, {q, k, v, f32({4, 5, 7})}),
              HasSubstr("mask is [4,5,7] and must be broadcast"));
  EXPECT_THAT(refused(q, f32({2, 3, 7, 16}), f32({2, 3, 7, 3})),
              HasSubstr("no multiple of its k's 3"));
  EXPECT_THAT(refused(q, f32({2, 4, 7, 15}), v), HasSubstr("do not agree"));
  EXPECT_THAT(refused(q, k, f32({2, 4, 6, 3})), HasSubstr("do not agree"));
  EXPECT_THAT(refused(q, k, f32({2, 4, 0, 3})), HasSubstr("may be 0"));
  EXPECT_THAT(refused(f32({5, 16}), k, v), HasSubstr("must be [B,H,S,D]"));
  attention["heads"] = int64_t(8);
  EXPECT_THAT(refused(q, k, v), HasSubstr("no attribute `heads`"));

  // Heads side by side, as projections give them.
  TensorType flat = f32({2, 5, 128}), keys = f32({2, 7, 64}),
             values = f32({2, 7, 12});
  EXPECT_EQ(refused(flat, keys, values), "f32[2,5,24]{120,24,1}");
  attention["heads"] = int64_t(7);
  EXPECT_THAT(refused(flat, keys, values), HasSubstr("must divide"));
  attention["heads"] = int64_t(8);
  EXPECT_THAT(refused(flat, f32({2, 7, 60}), values),
              HasSubstr("no whole number of heads of 16"));
  attention["scale"] = 1e31;
  EXPECT_THAT(refused(flat, keys, values), HasSubstr("`scale`"));
}

TEST(ShapeInference, AttentionGrad) {
  AttributeMap attributes{
      {"acc", DType::F32}, {"causal", false}, {"scale", 0.125}};
  TensorType q = f32({2, 8, 5, 16}), k = f32({2, 4, 7, 16}),
             v = f32({2, 4, 7, 3}), out = f32({2, 8, 5, 3}),
             lse = f32({2, 8, 5});
  auto results =
      inferResults(Op::AttentionGrad, attributes, {q, k, v, out, lse, out});
  ASSERT_TRUE(results.isOk()) << results.status().message();
  ASSERT_EQ(results->size(), 3u);
  EXPECT_EQ((*results)[0], q);
  EXPECT_EQ((*results)[1], k);
  EXPECT_EQ((*results)[2], v);
  EXPECT_THAT(infer(Op::AttentionGrad, attributes, {q, k, v, out, out, out}),
              HasSubstr("logsumexp is f32[2,8,5,3] and must be f32[2,8,5]"));
  EXPECT_THAT(infer(Op::AttentionGrad, attributes, {q, k, v, out, lse, q}),
              HasSubstr("dout is f32[2,8,5,16] and must be f32[2,8,5,3]"));
  EXPECT_THAT(infer(Op::AttentionGrad, attributes, {q, k, v, out, lse, out, q}),
              HasSubstr("mask is [2,8,5,16]"));
}

TEST(ShapeInference, NormSoftmaxReduce) {
  AttributeMap norm{{"acc", DType::F32},
                    {"dims", int64_t(2)},
                    {"eps", 1e-5},
                    {"stats", true}};
  TensorType x = f32({2, 3, 5});
  auto results = inferResults(Op::Norm, norm, {x, f32({3, 5}), f32({3, 5})});
  ASSERT_TRUE(results.isOk()) << results.status().message();
  ASSERT_EQ(results->size(), 3u);
  EXPECT_EQ(printType((*results)[0]), "f32[2,3,5]{15,5,1}");
  EXPECT_EQ(printType((*results)[2]), "f32[2,1,1]{1,1,1}");
  EXPECT_THAT(infer(Op::Norm, norm, {x, f32({5})}),
              HasSubstr("weight is [5] and must be as its input's last 2 "
                        "dimensions, [3,5]"));
  EXPECT_THAT(infer(Op::Norm, norm, {x, f32({3, 5}), f32({3})}),
              HasSubstr("bias is [3]"));
  EXPECT_THAT(infer(Op::Norm, norm, {f32({5})}),
              HasSubstr("`dims` of norm is 2 and must be 1 to 1"));
  EXPECT_THAT(infer(Op::Norm, norm, {f32({2, 0, 5})}),
              HasSubstr("norm's dimension 1 has size 0"));
  norm["eps"] = -1.0;
  EXPECT_THAT(infer(Op::Norm, norm, {x}), HasSubstr("`eps` of norm"));

  AttributeMap softmax{
      {"acc", DType::F32}, {"axis", int64_t(1)}, {"log", false}};
  TensorType varying = f32({2, 3, 5});
  varying.sizes[0] = Dim::symbol(0);
  EXPECT_EQ(infer(Op::Softmax, softmax, {varying}), "f32[s0,3,5]{15,5,1}");
  varying.sizes[1] = Dim::symbol(1);
  EXPECT_THAT(infer(Op::Softmax, softmax, {varying}),
              HasSubstr("softmax's dimension 1 is s1"));
  softmax["axis"] = int64_t(-1);
  EXPECT_THAT(infer(Op::Softmax, softmax, {x}), HasSubstr("`axis`"));

  AttributeMap reduce{{"acc", DType::F32},
                      {"dims", int64_t(2)},
                      {"fn", std::string("max")},
                      {"keep", false}};
  EXPECT_EQ(infer(Op::Reduce, reduce, {x}), "f32[2]{1}");
  reduce["keep"] = true;
  EXPECT_EQ(infer(Op::Reduce, reduce, {x}), "f32[2,1,1]{1,1,1}");
  AttributeMap listed = reduce;
  using List = std::vector<int64_t>;
  listed["dims"] = List{0, 2};
  EXPECT_EQ(infer(Op::Reduce, listed, {x}), "f32[1,3,1]{3,1,1}");
  EXPECT_THAT(infer(Op::Reduce, listed, {f32({0, 3, 5})}),
              HasSubstr("reduce's dimension 0 has size 0"));
  for (const List &wrong : {List{2, 0}, List{1, 1}, List{3}, List{-1}})
    EXPECT_THAT((listed["dims"] = wrong, infer(Op::Reduce, listed, {x})),
                HasSubstr("which has 3, in ascending order"));
  listed["dims"] = List{};
  EXPECT_THAT(infer(Op::Reduce, listed, {x}), HasSubstr("is empty"));
  listed["dims"] = List{0};
  listed["keep"] = false;
  EXPECT_THAT(infer(Op::Reduce, listed, {x}), HasSubstr("must be true"));
  reduce["fn"] = std::string("product");
  EXPECT_THAT(infer(Op::Reduce, reduce, {x}),
              HasSubstr("must be sum, mean, prod, max, min, amax, norm1 or "
                        "norm2"));
  reduce["acc"] = DType::F64;
  EXPECT_THAT(infer(Op::Reduce, reduce, {x}), HasSubstr("accumulates in f32"));
  EXPECT_THAT(
      infer(Op::Reduce, reduce, {TensorType::contiguous(DType::I8, {2, 3})}),
      HasSubstr("reduce of i8"));
}

TEST(ShapeInference, ArgReduce) {
  TensorType x = f32({2, 3, 5});
  AttributeMap attributes{{"dims", int64_t(1)},
                          {"fn", std::string("max")},
                          {"keep", false},
                          {"values", false}};
  EXPECT_EQ(infer(Op::ArgReduce, attributes, {x}), "i64[2,3]{3,1}");
  attributes["keep"] = true;
  attributes["values"] = true;
  auto results = inferResults(Op::ArgReduce, attributes, {x});
  ASSERT_TRUE(results.isOk()) << results.status().message();
  ASSERT_EQ(results->size(), 2u);
  EXPECT_EQ(printType((*results)[0]), "i64[2,3,1]{3,1,1}");
  EXPECT_EQ(printType((*results)[1]), "f32[2,3,1]{3,1,1}");
  attributes["fn"] = std::string("sum");
  EXPECT_THAT(infer(Op::ArgReduce, attributes, {x}),
              HasSubstr("argreduce is `sum` and must be max or min"));
  attributes["dims"] = int64_t(4);
  EXPECT_THAT(infer(Op::ArgReduce, attributes, {x}),
              HasSubstr("`dims` of argreduce is 4 and must be 1 to 3"));
}

TEST(ShapeInference, Pad) {
  using List = std::vector<int64_t>;
  AttributeMap pad{{"lo", List{1, -2}}, {"hi", List{0, 5}}, {"value", 0.5}};
  EXPECT_EQ(infer(Op::Pad, pad, {f32({3, 4})}), "f32[4,7]{7,1}");
  EXPECT_THAT(infer(Op::Pad, pad, {f32({3})}),
              HasSubstr("`lo` of pad has 2 entries and its operand 1"));
  EXPECT_THAT(infer(Op::Pad, pad, {f32({3, 2})}),
              HasSubstr("pad by -2 and 5 leaves nothing of dimension 1, which "
                        "has size 2"));
  pad["hi"] = List{0, int64_t(1) << 31};
  EXPECT_THAT(infer(Op::Pad, pad, {f32({3, 4})}),
              HasSubstr("must lie between -2147483647 and 2147483647"));
  pad.erase("value");
  pad["hi"] = List{0, 0};
  EXPECT_THAT(infer(Op::Pad, pad, {f32({3, 4})}),
              HasSubstr("pad needs the attribute `value`"));
}

TEST(ShapeInference, Pool) {
  using List = std::vector<int64_t>;
  AttributeMap pool{{"acc", DType::F32},      {"fn", std::string("max")},
                    {"window", List{3, 3}},   {"stride", List{2, 2}},
                    {"dilation", List{1, 1}}, {"pad_lo", List{1, 1}},
                    {"pad_hi", List{1, 1}},   {"ceil", false},
                    {"indices", false}};
  TensorType x = f32({2, 5, 8, 9});
  EXPECT_EQ(infer(Op::Pool, pool, {x}), "f32[2,5,4,5]{100,20,5,1}");
  pool["ceil"] = true;
  EXPECT_EQ(infer(Op::Pool, pool, {x}), "f32[2,5,5,5]{125,25,5,1}");
  // The third window would start behind the input.
  pool["stride"] = List{9, 5};
  EXPECT_EQ(infer(Op::Pool, pool, {x}), "f32[2,5,1,2]{10,2,2,1}");
  pool["indices"] = true;
  auto results = inferResults(Op::Pool, pool, {x});
  ASSERT_TRUE(results.isOk()) << results.status().message();
  EXPECT_EQ(printType(results->back()), "i64[2,5,1,2]{10,2,2,1}");
  pool["fn"] = std::string("avg");
  EXPECT_THAT(infer(Op::Pool, pool, {x}),
              HasSubstr("indices for fn = \"max\" only"));
  pool["indices"] = false;
  EXPECT_THAT(infer(Op::Pool, pool, {f32({2, 5})}),
              HasSubstr("must have 3 to 5"));
  EXPECT_THAT(infer(Op::Pool, pool, {f32({2, 5, 8})}),
              HasSubstr("`window` of pool has 2 entries for 1 spatial"));
  EXPECT_THAT(infer(Op::Pool, pool, {f32({2, 5, 0, 8})}),
              HasSubstr("size 0 in dimension 2"));
  pool["window"] = List{11, 3};
  EXPECT_THAT(infer(Op::Pool, pool, {x}),
              HasSubstr("window spans 11 in spatial dimension 0, more than"));
  pool["window"] = List{1, 3};
  EXPECT_THAT(infer(Op::Pool, pool, {x}),
              HasSubstr("would lie in the padding alone"));
}

TEST(ShapeInference, PoolGrad) {
  using List = std::vector<int64_t>;
  AttributeMap pool{{"acc", DType::F32},   {"fn", std::string("avg")},
                    {"window", List{3}},   {"stride", List{2}},
                    {"dilation", List{1}}, {"pad_lo", List{1}},
                    {"pad_hi", List{1}},   {"ceil", false},
                    {"size", List{8}}};
  TensorType dy = f32({2, 5, 4}), indices = dy;
  indices.dtype = DType::I64;
  EXPECT_EQ(infer(Op::PoolGrad, pool, {dy}), "f32[2,5,8]{40,8,1}");
  EXPECT_THAT(infer(Op::PoolGrad, pool, {dy, indices}),
              HasSubstr("of an average has one operand"));
  EXPECT_THAT(infer(Op::PoolGrad, pool, {f32({2, 5, 5})}),
              HasSubstr("gradient is [2,5,5], but the pooling of [2,5,8] gives "
                        "[2,5,4]"));
  pool["fn"] = std::string("max");
  EXPECT_EQ(infer(Op::PoolGrad, pool, {dy, indices}), "f32[2,5,8]{40,8,1}");
  EXPECT_THAT(infer(Op::PoolGrad, pool, {dy}), HasSubstr("needs its indices"));
  EXPECT_THAT(infer(Op::PoolGrad, pool, {dy, dy}),
              HasSubstr("indices must be i64[2,5,4] and are f32[2,5,4]"));
}

TEST(ShapeInference, NormGrad) {
  AttributeMap norm{{"acc", DType::F32},
                    {"dims", int64_t(1)},
                    {"dx", true},
                    {"dweight", true},
                    {"dbias", false}};
  TensorType x = f32({2, 3, 5}), stats = f32({2, 3, 1}), weight = f32({5});
  auto results = inferResults(Op::NormGrad, norm, {x, x, stats, stats, weight});
  ASSERT_TRUE(results.isOk()) << results.status().message();
  ASSERT_EQ(results->size(), 2u);
  EXPECT_EQ(printType((*results)[1]), "f32[5]{1}");
  EXPECT_THAT(
      infer(Op::NormGrad, norm, {x}),
      HasSubstr("input, mean and rstd, and perhaps a weight, and has 1"));
  EXPECT_THAT(infer(Op::NormGrad, norm, {x, x, stats, x}),
              HasSubstr("rstd is f32[2,3,5] and must be f32[2,3,1]"));
  norm["dx"] = false;
  EXPECT_EQ(infer(Op::NormGrad, norm, {x, x, stats, stats}), "f32[5]{1}");
  EXPECT_THAT(infer(Op::NormGrad, norm, {x, x, stats, stats, weight}),
              HasSubstr("input, mean and rstd without `dx`"));
  norm["rms"] = true;
  EXPECT_EQ(infer(Op::NormGrad, norm, {x, x, stats}), "f32[5]{1}");
  norm["rms"] = false;
  EXPECT_THAT(infer(Op::NormGrad, norm, {x, x, stats}),
              HasSubstr("`rms` of norm_grad must be true or left out"));
  norm.erase("rms");
  norm["dweight"] = false;
  EXPECT_THAT(infer(Op::NormGrad, norm, {x}), HasSubstr("gives nothing"));
  norm["dbias"] = true;
  EXPECT_EQ(infer(Op::NormGrad, norm, {x}), "f32[5]{1}");
  EXPECT_THAT(infer(Op::NormGrad, norm, {x, x, stats, stats}),
              HasSubstr("alone for the bias"));
}

TEST(ShapeInference, SoftmaxGrad) {
  AttributeMap softmax{
      {"acc", DType::F32}, {"axis", int64_t(1)}, {"log", false}};
  TensorType x = f32({2, 3});
  EXPECT_EQ(infer(Op::SoftmaxGrad, softmax, {x, x}), "f32[2,3]{3,1}");
  EXPECT_THAT(infer(Op::SoftmaxGrad, softmax, {x, f32({2, 1})}),
              HasSubstr("output is f32[2,1] and must be f32[2,3]"));
}

TEST(ShapeInference, BatchNorm) {
  AttributeMap norm{
      {"acc", DType::F32}, {"eps", 1e-5}, {"momentum", 0.1}, {"stats", true}};
  TensorType x = TensorType::contiguous(DType::BF16, {2, 3, 5, 7});
  TensorType c = f32({1, 3, 1, 1});
  auto results = inferResults(Op::BatchNorm, norm, {x, c, c, c, c});
  ASSERT_TRUE(results.isOk()) << results.status().message();
  ASSERT_EQ(results->size(), 5u);
  EXPECT_EQ(printType((*results)[0]), "bf16[2,3,5,7]{105,35,7,1}");
  EXPECT_EQ(printType((*results)[4]), "f32[1,3,1,1]{3,1,1,1}");
  EXPECT_THAT(infer(Op::BatchNorm, norm, {x, c, c}),
              HasSubstr("must be 0 without running statistics"));
  EXPECT_THAT(infer(Op::BatchNorm, norm, {x, c, c, c}),
              HasSubstr("takes both or none"));
  EXPECT_THAT(infer(Op::BatchNorm, norm, {x, f32({3}), f32({3})}),
              HasSubstr("scale is [3] and its input [2,3,5,7]"));
  EXPECT_THAT(infer(Op::BatchNorm, norm, {x, c, f32({1, 1, 1, 1}), c, c}),
              HasSubstr("bias is f32[1,1,1,1] and must be f32[1,3,1,1]"));
  AttributeMap grad{{"acc", DType::F32}};
  auto gradients = inferResults(Op::BatchNormGrad, grad, {x, x, c, c, c});
  ASSERT_TRUE(gradients.isOk()) << gradients.status().message();
  EXPECT_EQ(gradients->size(), 3u);
  EXPECT_THAT(infer(Op::BatchNormGrad, grad, {x, c, c, c, c}),
              HasSubstr("input is f32[1,3,1,1] and must be bf16[2,3,5,7]"));
}

} // namespace
