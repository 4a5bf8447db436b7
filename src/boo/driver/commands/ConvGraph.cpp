//===- ConvGraph.cpp - Types and nodes of a convolution -------------------===//
//
// A transposed convolution is the gradient of the input of a plain one whose
// output is its input; so its own gradients are plain ones with the roles
// exchanged. The plain one's filter is the same tensor.
//
//===----------------------------------------------------------------------===//

#include "boo/driver/commands/ConvCommand.h"

using namespace boo;

static constexpr std::string_view PlainLayouts[] = {"NCH", "NCHW", "NCDHW"};

std::vector<size_t> boo::layoutOrder(const std::string &layout) {
  std::vector<size_t> order;
  for (char c : layout)
    order.push_back(PlainLayouts[layout.size() - 3].find(c));
  return order;
}

std::vector<int64_t> boo::sizesInLayout(const std::vector<int64_t> &sizes,
                                        const std::string &layout) {
  std::vector<int64_t> result;
  for (size_t dim : layoutOrder(layout))
    result.push_back(sizes[dim]);
  return result;
}

static std::vector<int64_t> spatialList(const std::array<int64_t, 3> &values,
                                        size_t rank) {
  return {values.begin(), values.begin() + rank};
}

static std::vector<int64_t> joined(int64_t first, int64_t second,
                                   const std::array<int64_t, 3> &spatial,
                                   size_t rank) {
  std::vector<int64_t> sizes{first, second};
  sizes.insert(sizes.end(), spatial.begin(), spatial.begin() + rank);
  return sizes;
}

std::vector<int64_t> ConvSpec::inSizes() const {
  return joined(batch, inChannels, in, rank);
}
std::vector<int64_t> ConvSpec::outSizes() const {
  return joined(batch, outChannels, out, rank);
}
std::vector<int64_t> ConvSpec::filterSizes() const {
  return transposed ? joined(inChannels, outChannels / groups, filter, rank)
                    : joined(outChannels, inChannels / groups, filter, rank);
}

TensorType ConvGraph::input() const {
  return TensorType::permuted(Spec.dtype, Spec.inSizes(),
                              layoutOrder(Spec.inLayout));
}
TensorType ConvGraph::filter() const {
  return TensorType::permuted(Spec.dtype, Spec.filterSizes(),
                              layoutOrder(Spec.filLayout));
}
TensorType ConvGraph::output() const {
  return TensorType::permuted(Spec.dtype, Spec.outSizes(),
                              layoutOrder(Spec.outLayout));
}

TensorType ConvGraph::channel() const {
  TensorType type;
  type.dtype = Spec.dtype;
  type.sizes.assign(Spec.rank + 2, Dim(1));
  type.strides.assign(Spec.rank + 2, 0);
  type.sizes[1] = Spec.outChannels;
  type.strides[1] = Spec.outChannels == 1 ? 0 : 1;
  return type;
}

AttributeMap ConvGraph::attributes() const {
  DType dtype = Spec.castTo.value_or(Spec.dtype);
  return {{"acc", dtype == DType::F64 ? DType::F64 : DType::F32},
          {"dilation", spatialList(Spec.dilation, Spec.rank)},
          {"groups", Spec.groups},
          {"pad_hi", spatialList(Spec.padHi, Spec.rank)},
          {"pad_lo", spatialList(Spec.padLo, Spec.rank)},
          {"stride", spatialList(Spec.stride, Spec.rank)}};
}

ValueId ConvGraph::padded(ValueId input) {
  if (Spec.padValue == 0)
    return input;
  std::vector<int64_t> sizes = Spec.inSizes(), lo{0, 0}, hi{0, 0};
  for (size_t i = 0; i != Spec.rank; ++i) {
    lo.push_back(Spec.padLo[i]);
    hi.push_back(Spec.padHi[i]);
    sizes[i + 2] += lo.back() + hi.back();
  }
  return G
      .addNode(
          Op::Pad, {input},
          {{"hi", std::move(hi)},
           {"lo", std::move(lo)},
           {"value", Spec.padValue}},
          {TensorType::permuted(Spec.dtype, sizes, layoutOrder(Spec.inLayout))})
      .front();
}

/// The node, between the casts that the command asks for.
ValueId ConvGraph::product(Op op, ValueId first, ValueId second,
                           const TensorType &type,
                           const std::array<int64_t, 3> *size, bool padsZeros) {
  DType dtype = Spec.castTo.value_or(Spec.dtype);
  auto cast = [&](ValueId id, TensorType to, DType dtype) {
    if (G.value(id).type.dtype == dtype)
      return id;
    to.dtype = dtype;
    return G.addNode(Op::Cast, {id}, {{"to", dtype}}, {to}).front();
  };
  AttributeMap all = attributes();
  if (size)
    all["size"] = spatialList(*size, Spec.rank);
  if (!padsZeros)
    all["pad_lo"] = all["pad_hi"] = std::vector<int64_t>(Spec.rank, 0);
  std::vector<ValueId> operands{cast(first, G.value(first).type, dtype),
                                cast(second, G.value(second).type, dtype)};
  TensorType made = type;
  made.dtype = dtype;
  return cast(G.addNode(op, operands, std::move(all), {made}).front(), type,
              Spec.dtype);
}

ValueId ConvGraph::convolve(ValueId input, ValueId filter) {
  return Spec.transposed
             ? product(Op::ConvGradInput, input, filter, output(), &Spec.out)
             : product(Op::Conv, padded(input), filter, output(), nullptr,
                       Spec.padValue == 0);
}

ValueId ConvGraph::inputGradient(ValueId outGrad, ValueId filter) {
  return Spec.transposed
             ? product(Op::Conv, outGrad, filter, input(), nullptr)
             : product(Op::ConvGradInput, outGrad, filter, input(), &Spec.in);
}

ValueId ConvGraph::weightGradient(ValueId outGrad, ValueId input) {
  if (Spec.transposed)
    std::swap(outGrad, input);
  return product(Op::ConvGradWeight, outGrad, padded(input), filter(),
                 &Spec.filter, Spec.padValue == 0);
}

ValueId ConvGraph::biasGradient(ValueId outGrad) {
  // Over all dimensions but the channels.
  std::vector<int64_t> dims{0};
  for (size_t dim = 2; dim != Spec.rank + 2; ++dim)
    dims.push_back(int64_t(dim));
  AttributeMap attributes{
      {"acc", Spec.dtype == DType::F64 ? DType::F64 : DType::F32},
      {"dims", std::move(dims)},
      {"fn", std::string("sum")},
      {"keep", true}};
  return G.addNode(Op::Reduce, {outGrad}, std::move(attributes), {channel()})
      .front();
}

ValueId ConvGraph::addBias(ValueId last) {
  ValueId bias = G.addArgument(channel(), weights());
  return G.addPointwise(PointwiseFn::Add, {last, bias}, G.value(last).type);
}
