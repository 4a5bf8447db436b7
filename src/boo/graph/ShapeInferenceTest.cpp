//===- ShapeInferenceTest.cpp - Results and refusals of each op -----------===//

#include "boo/graph/ShapeInference.h"

#include <gmock/gmock.h>

using namespace boo;
using testing::HasSubstr;
using List = std::vector<int64_t>;

namespace {

TensorType f32(List sizes) {
  return TensorType::contiguous(DType::F32, std::move(sizes));
}

AttributeMap convAttributes(size_t spatial) {
  return {{"stride", List(spatial, 1)}, {"dilation", List(spatial, 1)},
          {"pad_lo", List(spatial, 0)}, {"pad_hi", List(spatial, 0)},
          {"groups", int64_t(1)},       {"acc", DType::F32}};
}

std::string infer(Op op, const AttributeMap &attributes,
                  const std::vector<TensorType> &operands) {
  auto results = inferResults(op, attributes, operands);
  return results.isOk() ? printType((*results)[0]) : results.status().message();
}

/// The result of a 2-D conv with one attribute replaced.
std::string inferConv(TensorType input, TensorType filter,
                      std::string name = "", Attribute value = int64_t(0)) {
  AttributeMap attributes = convAttributes(2);
  if (!name.empty())
    attributes[name] = std::move(value);
  return infer(Op::Conv, attributes, {input, filter});
}

/// A matmul with the given accumulation type.
std::string inferMatmul(TensorType a, TensorType b, DType acc = DType::F32) {
  return infer(Op::Matmul, {{"acc", acc}}, {std::move(a), std::move(b)});
}

TEST(ShapeInference, Matmul) {
  EXPECT_EQ(inferMatmul(f32({3, 5}), f32({5, 7})), "f32[3,7]{7,1}");
  EXPECT_EQ(inferMatmul(f32({2, 3, 5}), f32({5, 7})), "f32[2,3,7]{21,7,1}");
  EXPECT_EQ(inferMatmul(f32({4, 1, 3, 5}), f32({2, 5, 7})),
            "f32[4,2,3,7]{42,21,7,1}");
  TensorType a = f32({2, 3, 5});
  a.sizes[0] = Dim::symbol(0);
  a.sizes[1] = Dim::symbol(1);
  EXPECT_EQ(inferMatmul(a, f32({5, 7})), "f32[s0,s1,7]{7,7,1}");
}

TEST(ShapeInference, MatmulErrors) {
  TensorType a = f32({3, 5}), b = f32({5, 7});
  EXPECT_THAT(inferMatmul(f32({5}), b),
              HasSubstr("operand A has 1 dimensions and must have at least 2"));
  EXPECT_THAT(inferMatmul(a, f32({4, 7})),
              HasSubstr("matmul's A has 5 columns and its B 4 rows"));
  EXPECT_THAT(inferMatmul(f32({2, 3, 5}), f32({3, 5, 7})),
              HasSubstr("A has size 2 in a batch dimension where its B has 3"));
  EXPECT_THAT(inferMatmul(a, f32({5, 0})),
              HasSubstr("operand B has size 0 in dimension 1"));
  EXPECT_THAT(inferMatmul(a, b, DType::F64),
              HasSubstr("matmul of f32 accumulates in f32, not in f64"));
  EXPECT_THAT(infer(Op::Matmul, {}, {a, b}),
              HasSubstr("matmul needs the attribute `acc`"));
  TensorType varying = b;
  varying.sizes[1] = Dim::symbol(0);
  EXPECT_THAT(inferMatmul(a, varying),
              HasSubstr("operand B has s0 columns: only the rows of A"));
  b.dtype = DType::F16;
  EXPECT_THAT(inferMatmul(a, b), HasSubstr("A is f32 and its B f16"));
  a.dtype = DType::I8;
  EXPECT_THAT(inferMatmul(a, b), HasSubstr("matmul of i8"));
}

TEST(ShapeInference, ConvOutputSize) {
  EXPECT_EQ(convOutputSize(56, 3, 1, 1, 1, 1), 56);
  EXPECT_EQ(convOutputSize(56, 3, 2, 1, 1, 1), 28);
  EXPECT_EQ(convOutputSize(7, 3, 1, 3, 0, 0), 1);
  EXPECT_EQ(convOutputSize(6, 3, 1, 3, 0, 0), 0);
  EXPECT_EQ(convOutputSize(1, 1, 5, 1, 0, 0), 1);
  EXPECT_EQ(convOutputSize(INT64_MAX, 1, 1, 1, INT64_MAX, 0), INT64_MAX);
  EXPECT_EQ(convOutputSize(1, INT64_MAX, 1, INT64_MAX, 0, 0), 0);
}

TEST(ShapeInference, ConvOfEveryRank) {
  EXPECT_EQ(
      infer(Op::Conv, convAttributes(1), {f32({2, 3, 9}), f32({4, 3, 2})}),
      "f32[2,4,8]{32,8,1}");
  AttributeMap attributes = convAttributes(2);
  attributes["stride"] = List{2, 1};
  attributes["dilation"] = List{1, 2};
  attributes["pad_lo"] = List{0, 1};
  attributes["pad_hi"] = List{1, 0};
  attributes["groups"] = int64_t(2);
  EXPECT_EQ(infer(Op::Conv, attributes, {f32({1, 4, 8, 8}), f32({6, 2, 3, 3})}),
            "f32[1,6,4,5]{120,20,5,1}");
  EXPECT_EQ(infer(Op::Conv, convAttributes(3),
                  {f32({1, 1, 3, 3, 3}), f32({1, 1, 3, 3, 3})}),
            "f32[1,1,1,1,1]{1,1,1,1,1}");
}

TEST(ShapeInference, ConvBatchMayBeASymbol) {
  TensorType input = f32({1, 3, 4, 4});
  input.sizes[0] = Dim::symbol(7);
  EXPECT_EQ(inferConv(input, f32({5, 3, 4, 4})), "f32[s7,5,1,1]{5,1,1,1}");
  input.sizes[2] = Dim::symbol(0);
  EXPECT_THAT(inferConv(input, f32({5, 3, 4, 4})),
              HasSubstr("spatial size 0 is a symbol"));
}

TEST(ShapeInference, ConvRefusals) {
  TensorType input = f32({1, 4, 8, 8}), filter = f32({6, 4, 3, 3});
  EXPECT_THAT(inferConv(f32({1, 4}), filter), HasSubstr("must have 3 to 5"));
  EXPECT_THAT(inferConv(input, f32({6, 4, 3})),
              HasSubstr("filter has 3 dimensions and its input 4"));
  EXPECT_THAT(inferConv(input, f32({6, 4, 9, 3})),
              HasSubstr("filter is larger than the padded input in spatial "
                        "dimension 0: 9 (9 taps, dilation 1) against 8 (8 and "
                        "padding 0, 0)"));
  EXPECT_THAT(inferConv(input, f32({6, 3, 3, 3})),
              HasSubstr("has 3 input channels and needs 4"));
  EXPECT_THAT(inferConv(input, filter, "groups", int64_t(3)),
              HasSubstr("4 input channels are not divisible by its 3 groups"));
  EXPECT_THAT(inferConv(input, f32({6, 1, 3, 3}), "groups", int64_t(4)),
              HasSubstr("6 output channels are not divisible by its 4 groups"));
  EXPECT_THAT(inferConv(input, filter, "groups", int64_t(0)),
              HasSubstr("must have at least 1"));
  EXPECT_THAT(inferConv(f32({0, 4, 8, 8}), filter),
              HasSubstr("input batch size is 0"));
  EXPECT_THAT(inferConv(f32({1, 4, 8, 0}), filter),
              HasSubstr("input spatial size 1 is 0"));
  EXPECT_THAT(inferConv(input, f32({0, 4, 3, 3})),
              HasSubstr("filter output channel size is 0"));
  EXPECT_THAT(inferConv(input, filter, "stride", List{1, 0}),
              HasSubstr("`stride` of conv is 0 and must be at least 1"));
  EXPECT_THAT(inferConv(input, filter, "dilation", List{-1, 1}),
              HasSubstr("`dilation` of conv is -1"));
  EXPECT_THAT(inferConv(input, filter, "pad_lo", List{-1, 1}),
              HasSubstr("`pad_lo` of conv is -1 and must be at least 0"));
  EXPECT_THAT(inferConv(input, filter, "pad_hi", List{1}),
              HasSubstr("has 1 entries for 2 spatial dimensions"));
  EXPECT_THAT(inferConv(input, filter, "pad_hi", List{INT64_MAX, INT64_MAX}),
              HasSubstr("spatial dimension 0 overflows"));
  EXPECT_THAT(
      inferConv(input, filter, "pad_hi", List{int64_t(1) << 40, 1LL << 40}),
      HasSubstr("result 0 of conv: the tensor's bytes overflow"));
  EXPECT_THAT(inferConv(input, filter, "groups", 1.0),
              HasSubstr("`groups` of conv must be an integer"));
  EXPECT_THAT(inferConv(input, filter, "acc", DType::F64),
              HasSubstr("conv of f32 accumulates in f32, not in f64"));
  EXPECT_THAT(inferConv(input, filter, "bias", true),
              HasSubstr("conv has no attribute `bias`"));
  EXPECT_THAT(infer(Op::Conv, {}, {input, filter}),
              HasSubstr("conv needs the attribute `stride`"));
  EXPECT_THAT(infer(Op::Conv, convAttributes(2), {input}),
              HasSubstr("conv takes 2 operands and has 1"));
  filter.dtype = DType::F16;
  EXPECT_THAT(inferConv(input, filter),
              HasSubstr("input is f32 and its filter f16"));
  input.dtype = DType::I8;
  EXPECT_THAT(inferConv(input, filter), HasSubstr("conv of i8"));
}

/// The result of a 2-D conv's gradient with one attribute replaced.
std::string inferGrad(Op op, TensorType outGrad, TensorType other, List size,
                      std::string name = "", Attribute value = int64_t(0)) {
  AttributeMap attributes = convAttributes(2);
  attributes["stride"] = List{2, 2};
  attributes["size"] = size;
  if (!name.empty())
    attributes[name] = std::move(value);
  return infer(op, attributes, {outGrad, other});
}

TEST(ShapeInference, ConvGradients) {
  Op input = Op::ConvGradInput, weight = Op::ConvGradWeight;
  TensorType dy = f32({2, 6, 3, 3}), w = f32({6, 4, 3, 3});
  TensorType x = f32({2, 4, 7, 8});
  // Two sizes of an input give outputs of one size: the attribute tells.
  EXPECT_EQ(inferGrad(input, dy, w, {7, 8}), "f32[2,4,7,8]{224,56,8,1}");
  EXPECT_EQ(inferGrad(input, dy, w, {8, 7}), "f32[2,4,8,7]{224,56,7,1}");
  EXPECT_EQ(inferGrad(input, dy, w, {7, 8}, "groups", int64_t(2)),
            "f32[2,8,7,8]{448,56,8,1}");
  EXPECT_EQ(inferGrad(weight, dy, x, {3, 3}), "f32[6,4,3,3]{36,9,3,1}");
  EXPECT_EQ(inferGrad(weight, dy, x, {2, 4}), "f32[6,4,2,4]{32,8,4,1}");
  EXPECT_EQ(inferGrad(weight, dy, x, {3, 3}, "groups", int64_t(2)),
            "f32[6,2,3,3]{18,9,3,1}");
}

TEST(ShapeInference, ConvGradientRefusals) {
  Op input = Op::ConvGradInput, weight = Op::ConvGradWeight;
  TensorType dy = f32({2, 6, 3, 3}), w = f32({6, 4, 3, 3});
  TensorType x = f32({2, 4, 7, 8});
  EXPECT_THAT(inferGrad(input, dy, w, {9, 8}),
              HasSubstr("conv_grad_input: its output gradient is [2,6,3,3], "
                        "but the convolution of [2,4,9,8] with [6,4,3,3] "
                        "gives [2,6,4,3]"));
  EXPECT_THAT(inferGrad(input, f32({2, 5, 3, 3}), w, {7, 8}),
              HasSubstr("gives [2,6,3,3]"));
  EXPECT_THAT(inferGrad(weight, f32({1, 6, 3, 3}), x, {3, 3}),
              HasSubstr("conv_grad_weight: its output gradient is [1,6,3,3]"));
  EXPECT_THAT(inferGrad(weight, dy, x, {3, 3}, "groups", int64_t(3)),
              HasSubstr("4 input channels are not divisible by its 3 groups"));
  EXPECT_THAT(inferGrad(weight, dy, x, {3, 3}, "groups", int64_t(0)),
              HasSubstr("must have at least 1"));
  EXPECT_THAT(inferGrad(weight, dy, x, {3}),
              HasSubstr("`size` of conv has 1 entries for 2"));
  EXPECT_THAT(inferGrad(weight, dy, x, {3, 0}), HasSubstr("at least 1"));
  EXPECT_THAT(inferGrad(weight, dy, x, {9, 3}),
              HasSubstr("filter is larger than the padded input"));
  EXPECT_THAT(inferGrad(weight, dy, x, {3, 3}, "bias", true),
              HasSubstr("conv_grad_weight has no attribute `bias`"));
  EXPECT_THAT(inferGrad(input, f32({6, 3}), w, {7, 8}),
              HasSubstr("must have 3 to 5"));
  EXPECT_THAT(inferGrad(input, f32({2, 6, 3}), w, {7, 8}),
              HasSubstr("its filter has 4 dimensions"));
  w.dtype = DType::F16;
  EXPECT_THAT(inferGrad(input, dy, w, {7, 8}),
              HasSubstr("output gradient is f32 and its filter f16"));
  x.sizes[1] = Dim::symbol(0);
  EXPECT_THAT(inferGrad(weight, dy, x, {3, 3}),
              HasSubstr("only the batch size may be"));
}

std::string inferFn(const char *fn, const std::vector<TensorType> &operands,
                    AttributeMap attributes = {}) {
  attributes["fn"] = std::string(fn);
  return infer(Op::Pointwise, attributes, operands);
}

TEST(ShapeInference, PointwiseBroadcasts) {
  EXPECT_EQ(inferFn("add", {f32({2, 3, 4}), f32({3, 1})}),
            "f32[2,3,4]{12,4,1}");
  EXPECT_EQ(inferFn("add", {f32({}), f32({2, 1})}), "f32[2,1]{1,1}");
  EXPECT_EQ(inferFn("mul", {f32({2, 1}), f32({1, 3})}), "f32[2,3]{3,1}");
  EXPECT_EQ(inferFn("mul", {f32({0, 1}), f32({1, 3})}), "f32[0,3]{3,1}");
  EXPECT_THAT(inferFn("add", {f32({2, 3}), f32({2})}),
              HasSubstr("operand 1 has size 2 in dimension 0, which does not "
                        "broadcast to 3"));
  TensorType symbolic = f32({1, 3});
  symbolic.sizes[0] = Dim::symbol(1);
  EXPECT_EQ(inferFn("add", {symbolic, f32({3})}), "f32[s1,3]{3,1}");
  EXPECT_EQ(inferFn("add", {symbolic, symbolic}), "f32[s1,3]{3,1}");
  EXPECT_THAT(inferFn("add", {symbolic, f32({2, 3})}),
              HasSubstr("does not broadcast to s1"));
}

TEST(ShapeInference, PointwiseRefusals) {
  TensorType half = TensorType::contiguous(DType::F16, {2});
  TensorType word = TensorType::contiguous(DType::I32, {2});
  EXPECT_THAT(inferFn("warble", {f32({2})}),
              HasSubstr("no pointwise function"));
  EXPECT_THAT(inferFn("add", {f32({2})}), HasSubstr("takes 2 operands"));
  EXPECT_THAT(inferFn("add", {f32({2}), half}), HasSubstr("are f32 and f16"));
  EXPECT_THAT(inferFn("relu", {word}), HasSubstr("pointwise on i32"));
  EXPECT_THAT(inferFn("elu", {f32({2})}), HasSubstr("needs the attribute"));
  EXPECT_THAT(inferFn("elu", {f32({2})}, {{"alpha", int64_t(1)}}),
              HasSubstr("`alpha` of pointwise must be a number with a point"));
  EXPECT_THAT(inferFn("relu", {f32({2})}, {{"alpha", 1.0}}),
              HasSubstr("pointwise has no attribute `alpha`"));
  EXPECT_THAT(inferFn("add", {f32({1LL << 33, 1}), f32({1LL << 33})}),
              HasSubstr("bytes overflow"));
}

TEST(ShapeInference, CastAndMlir) {
  EXPECT_EQ(infer(Op::Cast, {{"to", DType::BF16}}, {f32({2, 3})}),
            "bf16[2,3]{3,1}");
  EXPECT_THAT(infer(Op::Cast, {{"to", DType::I8}}, {f32({2})}),
              HasSubstr("cast from f32 to i8: only floats"));
  EXPECT_THAT(infer(Op::Cast, {}, {f32({2})}), HasSubstr("`to`"));
  auto declared = inferResults(Op::Mlir, {{"module", std::string("")}}, {});
  ASSERT_TRUE(declared.isOk());
  EXPECT_TRUE(declared->empty());
  EXPECT_FALSE(inferResults(Op::Mlir, {{"module", true}}, {}).isOk());
}

TEST(TensorTypeTest, SizesStridesAndSpan) {
  TensorType nhwc =
      TensorType::permuted(DType::F32, {2, 3, 4, 5}, {0, 2, 3, 1});
  EXPECT_EQ(printType(nhwc), "f32[2,3,4,5]{60,1,15,3}");
  EXPECT_EQ(nhwc.numElements(), 120);
  EXPECT_EQ(nhwc.spanBytes(), 480);
  TensorType scalar = TensorType::contiguous(DType::F64, {});
  EXPECT_EQ(scalar.numElements(), 1);
  EXPECT_EQ(scalar.spanBytes(), 8);
  TensorType empty = f32({3, 0, INT64_MAX});
  EXPECT_EQ(empty.numElements(), 0);
  EXPECT_EQ(empty.spanBytes(), 0);
  EXPECT_EQ(f32({INT64_MAX, 3}).spanBytes(), INT64_MAX);
  TensorType repeated = f32({4, 2});
  repeated.strides = {0, 1};
  EXPECT_EQ(repeated.spanBytes(), 8);
}

} // namespace
