//===- RandomRows.cpp - Norms, softmaxes, reductions from a seed ----------===//

#include "RandomRows.h"
#include "RandomSource.h"

#include <numeric>

using namespace boo;
using namespace boo::testing;

namespace {

using List = std::vector<int64_t>;

class RandomGroup : RandomSource {
public:
  explicit RandomGroup(uint64_t seed) : RandomSource(seed) {}

  Graph make() {
    Type = anyFloat();
    List sizes(size_t(of(1, 4)));
    for (int64_t &size : sizes)
      size = one(3) ? of(1, 4) : of(1, 40);
    if (one(3))
      sizes.back() = one(3) ? of(4000, 9500) : of(100, 1200);
    // At most some 10^5 elements, so that the reference takes no time.
    for (size_t i = 0; i + 1 < sizes.size(); ++i)
      while (product(sizes) > 120000 && sizes[i] > 1)
        sizes[i] /= 2;

    Graph graph;
    ValueId x = graph.addArgument(operand(sizes));
    DType acc = Type == DType::F64 ? DType::F64 : DType::F32;
    int64_t rank = int64_t(sizes.size()), dims = of(1, rank);
    List out = sizes;
    ValueId y = kNoValue;
    switch (of(0, 7)) {
    case 0: {
      std::vector<ValueId> operands{x};
      List row(sizes.end() - dims, sizes.end());
      for (int64_t i = of(0, 2); i > 0; --i)
        operands.push_back(graph.addArgument(operand(row)));
      y = graph.addNode(Op::Norm, operands,
                        {{"acc", acc},
                         {"dims", dims},
                         {"eps", one(3) ? 0.5 : 1e-3},
                         {"stats", false}},
                        {dense(out)})[0];
      break;
    }
    case 1:
      return normGrad(sizes, dims);
    case 2:
      y = graph.addNode(
          Op::SoftmaxGrad, {x, graph.addArgument(operand(sizes))},
          {{"acc", acc}, {"axis", of(0, rank - 1)}, {"log", one(3)}},
          {dense(out)})[0];
      break;
    case 3:
      return batchNorm(sizes);
    case 4:
      return batchNormGrad(sizes);
    case 5:
      y = graph.addNode(
          Op::Softmax, {x},
          {{"acc", acc}, {"axis", of(0, rank - 1)}, {"log", one(3)}},
          {dense(out)})[0];
      break;
    case 6: {
      bool keep = one(2);
      reduce(out, dims, keep);
      TensorType indices = dense(out);
      indices.dtype = DType::I64;
      graph.addOutput(
          graph.addNode(Op::ArgReduce, {x},
                        {{"dims", dims},
                         {"fn", std::string(one(2) ? "max" : "min")},
                         {"keep", keep},
                         {"values", false}},
                        {indices})[0]);
      return canonicalize(graph);
    }
    default: {
      static const char *const fns[] = {"sum",  "mean",  "max",  "min",
                                        "amax", "norm1", "prod", "norm2"};
      bool keep = one(2);
      Attribute along = dims;
      if (keep && one(2))
        along = listed(&out);
      else
        reduce(out, dims, keep);
      y = graph.addNode(Op::Reduce, {x},
                        {{"acc", acc},
                         {"dims", along},
                         {"fn", std::string(fns[of(0, 7)])},
                         {"keep", keep}},
                        {dense(out)})[0];
    }
    }
    TensorType type = graph.value(y).type;
    for (int64_t i = one(2) ? of(1, 2) : 0; i > 0; --i) {
      if (one(3))
        y = graph.addPointwise(PointwiseFn::Gelu, {y}, type);
      else
        y = graph.addPointwise(one(2) ? PointwiseFn::Add : PointwiseFn::Mul,
                               {y, graph.addArgument(operand(broadcast(out)))},
                               type);
    }
    graph.addOutput(y);
    return canonicalize(graph);
  }

private:
  Graph normGrad(const List &sizes, int64_t dims) {
    int64_t wanted = of(1, 7);
    bool dx = wanted & 1, dweight = wanted & 2, dbias = wanted & 4;
    List row(sizes.end() - dims, sizes.end()), stats = sizes;
    std::fill(stats.end() - dims, stats.end(), 1);
    DType acc = Type == DType::F64 ? DType::F64 : DType::F32;
    Graph graph;
    std::vector<ValueId> operands{graph.addArgument(operand(sizes))};
    if (dx || dweight) {
      operands.push_back(graph.addArgument(operand(sizes)));
      for (int i = 0; i != 2; ++i) {
        TensorType type = operand(stats);
        type.dtype = acc;
        operands.push_back(graph.addArgument(type));
      }
    }
    if (dx && one(2))
      operands.push_back(graph.addArgument(operand(row)));
    std::vector<TensorType> types;
    if (dx)
      types.push_back(dense(sizes));
    for (bool sums : {dweight, dbias})
      if (sums)
        types.push_back(dense(row));
    for (ValueId id : graph.addNode(Op::NormGrad, operands,
                                    {{"acc", acc},
                                     {"dbias", dbias},
                                     {"dims", dims},
                                     {"dweight", dweight},
                                     {"dx", dx}},
                                    types))
      graph.addOutput(id);
    return canonicalize(graph);
  }

  /// Of a batch norm's parameters, for some of the dimensions.
  TensorType parameter(List sizes) {
    for (int64_t &size : sizes)
      if (one(2))
        size = 1;
    TensorType type = dense(sizes);
    type.dtype = Type == DType::F64 ? DType::F64 : DType::F32;
    return type;
  }

  Graph batchNorm(const List &sizes) {
    TensorType type = parameter(sizes);
    Graph graph;
    std::vector<ValueId> operands{graph.addArgument(operand(sizes))};
    bool running = one(2), stats = one(2);
    for (int i = running ? 4 : 2; i > 0; --i)
      operands.push_back(graph.addArgument(type));
    std::vector<TensorType> types{dense(sizes)};
    types.insert(types.end(), (stats ? 2 : 0) + (running ? 2 : 0), type);
    for (ValueId id : graph.addNode(Op::BatchNorm, operands,
                                    {{"acc", type.dtype},
                                     {"eps", one(3) ? 0.5 : 1e-3},
                                     {"momentum", running ? 0.25 : 0.0},
                                     {"stats", stats}},
                                    types))
      graph.addOutput(id);
    return canonicalize(graph);
  }

  Graph batchNormGrad(const List &sizes) {
    TensorType type = parameter(sizes);
    Graph graph;
    std::vector<ValueId> operands;
    for (int i = 0; i != 2; ++i)
      operands.push_back(graph.addArgument(operand(sizes)));
    for (int i = 0; i != 3; ++i)
      operands.push_back(graph.addArgument(type));
    for (ValueId id :
         graph.addNode(Op::BatchNormGrad, operands, {{"acc", type.dtype}},
                       {dense(sizes), type, type}))
      graph.addOutput(id);
    return canonicalize(graph);
  }

  static int64_t product(const List &sizes) {
    return std::accumulate(sizes.begin(), sizes.end(), int64_t(1),
                           std::multiplies<>());
  }

  /// Some of the dimensions, at least one, which become 1.
  List listed(List *sizes) {
    List dims;
    while (dims.empty())
      for (size_t i = 0; i != sizes->size(); ++i)
        if (one(2))
          dims.push_back(int64_t(i));
    for (int64_t dim : dims)
      (*sizes)[size_t(dim)] = 1;
    return dims;
  }

  static void reduce(List &sizes, int64_t dims, bool keep) {
    std::fill(sizes.end() - dims, sizes.end(), 1);
    if (!keep)
      sizes.resize(sizes.size() - size_t(dims));
  }

  List broadcast(List sizes) {
    if (one(3))
      sizes.erase(sizes.begin(), sizes.begin() + of(0, int64_t(sizes.size())));
    for (int64_t &size : sizes)
      if (one(4))
        size = 1;
    return sizes;
  }

  /// Row-major, often; or the dimensions in another order.
  TensorType dense(const List &sizes) {
    std::vector<size_t> order(sizes.size());
    std::iota(order.begin(), order.end(), 0);
    if (one(3))
      for (size_t i = order.size(); i-- > 1;)
        std::swap(order[i], order[size_t(of(0, int64_t(i)))]);
    return TensorType::permuted(Type, sizes, order);
  }

  /// The same, or a part of a larger tensor, or broadcast over a dimension.
  TensorType operand(const List &sizes) {
    TensorType type = dense(sizes);
    if (!sizes.empty() && one(4)) {
      List larger = sizes;
      larger.back() += of(1, 9);
      type.strides = dense(larger).strides;
    }
    if (!sizes.empty() && one(8))
      type.strides[size_t(of(0, int64_t(sizes.size()) - 1))] = 0;
    return type;
  }
};

} // namespace

Graph boo::testing::randomRows(uint64_t seed) {
  return RandomGroup(seed).make();
}

Graph boo::testing::plainBatchNorm(Op op, DType dtype, bool channelsLast) {
  TensorType x =
      TensorType::permuted(dtype, {3, 37, 29},
                           channelsLast ? std::vector<size_t>{0, 2, 1}
                                        : std::vector<size_t>{0, 1, 2});
  DType acc = dtype == DType::F64 ? DType::F64 : DType::F32;
  TensorType channel = TensorType::contiguous(acc, {1, 37, 1});
  Graph graph;
  std::vector<ValueId> operands;
  auto add = [&](const TensorType &type, int count) {
    for (int i = 0; i != count; ++i)
      operands.push_back(graph.addArgument(type));
  };
  AttributeMap attributes{{"acc", acc}};
  std::vector<TensorType> types{x, channel, channel};
  add(x, op == Op::BatchNorm ? 1 : 2);
  add(channel, op == Op::BatchNorm ? 4 : 3);
  if (op == Op::BatchNorm) {
    attributes["eps"] = 0.25;
    attributes["momentum"] = 0.25;
    attributes["stats"] = true;
    types.insert(types.end(), 2, channel);
  }
  for (ValueId id : graph.addNode(op, operands, attributes, types))
    graph.addOutput(id);
  return graph;
}

/// Operands and results of the gradient of a norm of [37, length].
static void plainNormGrad(Graph &graph, DType dtype, DType acc,
                          int64_t length) {
  TensorType type = TensorType::contiguous(dtype, {37, length});
  TensorType row = TensorType::contiguous(dtype, {length});
  TensorType stats = TensorType::contiguous(acc, {37, 1});
  std::vector<ValueId> operands;
  for (const TensorType &operand : {type, type, stats, stats, row})
    operands.push_back(graph.addArgument(operand));
  for (ValueId id : graph.addNode(Op::NormGrad, operands,
                                  {{"acc", acc},
                                   {"dbias", true},
                                   {"dims", int64_t(1)},
                                   {"dweight", true},
                                   {"dx", true}},
                                  {type, row, row}))
    graph.addOutput(id);
}

Graph boo::testing::plainRows(Op op, DType dtype, int64_t length) {
  TensorType type = TensorType::contiguous(dtype, {37, length}), result = type;
  AttributeMap attributes{
      {"acc", dtype == DType::F64 ? DType::F64 : DType::F32}};
  Graph graph;
  if (op == Op::NormGrad) {
    plainNormGrad(graph, dtype, std::get<DType>(attributes["acc"]), length);
    return graph;
  }
  std::vector<ValueId> operands{graph.addArgument(type)};
  if (op == Op::SoftmaxGrad)
    operands.push_back(graph.addArgument(type));
  if (op == Op::Softmax || op == Op::SoftmaxGrad) {
    attributes["axis"] = int64_t(1);
    attributes["log"] = length == 40;
  } else {
    attributes["dims"] = int64_t(1);
  }
  if (op == Op::Norm) {
    attributes["eps"] = 0.25;
    attributes["stats"] = false;
  }
  if (op == Op::Reduce) {
    attributes["fn"] = std::string(length == 7    ? "sum"
                                   : length == 40 ? "norm2"
                                                  : "max");
    attributes["keep"] = false;
    result = TensorType::contiguous(dtype, {37});
  }
  if (op == Op::ArgReduce) {
    attributes.erase("acc");
    attributes["fn"] = std::string(length == 7 ? "min" : "max");
    attributes["keep"] = attributes["values"] = false;
    result = TensorType::contiguous(DType::I64, {37});
  }
  graph.addOutput(graph.addNode(op, operands, attributes, {result})[0]);
  return graph;
}
