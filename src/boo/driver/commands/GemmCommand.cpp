//===- GemmCommand.cpp - The Graph of a matrix product command ------------===//

#include "boo/driver/commands/GemmCommand.h"
#include "boo/driver/commands/Factors.h"

#include <cmath>

using namespace boo;

FlagTable boo::gemmFlagTable() {
  static constexpr Flag table[] = {
#define BOO_GEMM_FLAG(id, name, letter, value, kind, use, help, reason)        \
  {name, letter, value, FlagKind::kind, FlagUse::use, help, reason},
#include "boo/driver/commands/GemmFlags.inc"
  };
  return table;
}

static std::string spell(GemmFlag flag) {
  return flagSpelling(gemmFlagTable()[size_t(flag)]);
}

static StatusOr<int64_t> readSize(const FlagValues &op, GemmFlag flag) {
  // Products of two sizes must stay below 2^63.
  constexpr int64_t most = (int64_t(1) << 31) - 1;
  int64_t value = op.integer(size_t(flag));
  if (value < 1 || value > most)
    return op.wrongChoice(size_t(flag),
                          "must lie between 1 and " + std::to_string(most));
  return value;
}

static StatusOr<GemmMode> readMode(const FlagValues &op) {
  int64_t forw = op.integer(size_t(GemmFlag::Forw));
  if (forw < 1 || forw > 3)
    return op.wrongChoice(size_t(GemmFlag::Forw),
                          "1 is forward, 2 the gradient of A, 3 that of B");
  if (forw == 1)
    return GemmMode::Forward;
  for (GemmFlag flag :
       {GemmFlag::Beta, GemmFlag::Bias, GemmFlag::Residual, GemmFlag::Tail})
    if (op.given(size_t(flag)) &&
        op.text(size_t(flag)) != gemmFlagTable()[size_t(flag)].defaultValue)
      return invalidArgument(spell(flag) + " belongs to -F 1: gradients are "
                                           "those of the product alone");
  return forw == 2 ? GemmMode::ABackward : GemmMode::BBackward;
}

/// The tensors' elements and bytes must be countable.
static Status checkBytes(const GemmSpec &spec) {
  for (auto [rows, columns, what] :
       {std::tuple(spec.m, spec.k, "A"), std::tuple(spec.k, spec.n, "B"),
        std::tuple(spec.m, spec.n, "the result")}) {
    int64_t bytes = dtypeBytes(spec.dtype);
    for (int64_t size : {rows, columns, spec.batch})
      if (__builtin_mul_overflow(bytes, size, &bytes) || bytes > INT64_MAX / 4)
        return invalidArgument(std::string(what) +
                               " has more bytes than 61 bits count; lower its "
                               "sizes");
  }
  return Status::ok();
}

StatusOr<GemmSpec> boo::gemmSpec(const CommandLine &line) {
  const FlagValues &op = line.op;
  BOO_RETURN_IF_ERROR(refusePositionals(line));
  GemmSpec spec;
  spec.dtype = line.info->dtype;
  BOO_ASSIGN_OR_RETURN(spec.mode, readMode(op));
  bool miopen = op.on(size_t(GemmFlag::MiopenShape));
  BOO_ASSIGN_OR_RETURN(spec.m,
                       readSize(op, miopen ? GemmFlag::AH : GemmFlag::AW));
  BOO_ASSIGN_OR_RETURN(spec.k,
                       readSize(op, miopen ? GemmFlag::AW : GemmFlag::AH));
  BOO_ASSIGN_OR_RETURN(spec.n, readSize(op, GemmFlag::BW));
  BOO_ASSIGN_OR_RETURN(spec.batch, readSize(op, GemmFlag::Batch));
  BOO_RETURN_IF_ERROR(checkBytes(spec));
  spec.transA = op.on(size_t(GemmFlag::TransA));
  spec.transB = op.on(size_t(GemmFlag::TransB));
  spec.columnMajor = op.on(size_t(GemmFlag::ColMajor));
  spec.alpha = op.real(size_t(GemmFlag::Alpha));
  spec.beta = op.real(size_t(GemmFlag::Beta));
  BOO_RETURN_IF_ERROR(checkFactors({spec.alpha, spec.beta}));
  spec.bias = op.on(size_t(GemmFlag::Bias));
  spec.residual = op.on(size_t(GemmFlag::Residual));
  spec.weightsConstant = line.driver.on(DriverFlag::WeiConst);
  BOO_ASSIGN_OR_RETURN(spec.tail,
                       parseTail(op.text(size_t(GemmFlag::Tail)), "column"));
  return spec;
}

std::string boo::gemmFuncName(const GemmSpec &spec) {
  static constexpr std::string_view modes[] = {"forward", "a_backward",
                                               "b_backward"};
  std::string name = "gemm_" + std::string(torchDType(spec.dtype)) + "_" +
                     std::string(modes[size_t(spec.mode)]) + "_" +
                     std::to_string(spec.m) + "x" + std::to_string(spec.k) +
                     "x" + std::to_string(spec.n);
  auto append = [&](bool given, const std::string &text) {
    if (given)
      name += "_" + text;
  };
  append(spec.transA, "transA");
  append(spec.transB, "transB");
  append(spec.batch != 1, "batch" + std::to_string(spec.batch));
  append(spec.columnMajor, "colMajor");
  name += factorsName({spec.alpha, spec.beta});
  append(spec.bias, "bias");
  append(spec.residual, "residual");
  for (const TailFn &tail : spec.tail)
    append(true, std::string(pointwiseFnName(tail.fn)));
  return name;
}

namespace {

/// Types of the operands, by their logical sizes; how a matrix lies in memory
/// is a matter of strides.
class GemmTypes {
public:
  explicit GemmTypes(const GemmSpec &spec) : Spec(spec) {}

  /// [rows, columns], stored the other way round if `transposed`.
  TensorType matrix(int64_t rows, int64_t columns, bool transposed) const {
    std::vector<int64_t> sizes{rows, columns};
    std::vector<size_t> order{0, 1};
    if (transposed != Spec.columnMajor)
      order = {1, 0};
    if (Spec.batch != 1) {
      sizes.insert(sizes.begin(), Spec.batch);
      for (size_t &dim : order)
        ++dim;
      order.insert(order.begin(), 0);
    }
    return TensorType::permuted(Spec.dtype, sizes, order);
  }
  TensorType a() const { return matrix(Spec.m, Spec.k, Spec.transA); }
  TensorType b() const { return matrix(Spec.k, Spec.n, Spec.transB); }
  TensorType result() const { return matrix(Spec.m, Spec.n, false); }
  /// One value a column, seen with the result's rank.
  TensorType column() const {
    TensorType type = result();
    for (size_t i = 0; i + 1 != type.rank(); ++i) {
      type.sizes[i] = 1;
      type.strides[i] = 0;
    }
    type.strides.back() = Spec.n == 1 ? 0 : 1;
    return type;
  }

  static TensorType transposed(TensorType type) {
    size_t rank = type.rank();
    std::swap(type.sizes[rank - 1], type.sizes[rank - 2]);
    std::swap(type.strides[rank - 1], type.strides[rank - 2]);
    return type;
  }

private:
  const GemmSpec &Spec;
};

} // namespace

StatusOr<CommandGraph> boo::buildGemm(const CommandLine &line) {
  CommandGraph result;
  BOO_ASSIGN_OR_RETURN(GemmSpec spec, gemmSpec(line));
  GemmTypes types(spec);
  Graph &graph = result.graph;
  Role weights = spec.weightsConstant ? Role::Constant : Role::Input;
  AttributeMap attributes;
  attributes["acc"] = spec.dtype == DType::F64 ? DType::F64 : DType::F32;
  auto product = [&](ValueId left, ValueId right, const TensorType &type) {
    return graph.addNode(Op::Matmul, {left, right}, attributes, {type}).front();
  };
  ValueId last = kNoValue;
  switch (spec.mode) {
  case GemmMode::Forward: {
    ValueId a = graph.addArgument(types.a());
    ValueId b = graph.addArgument(types.b(), weights);
    last = product(a, b, types.result());
    break;
  }
  case GemmMode::ABackward: {
    // dA = dC * B^T, in the memory layout of A.
    ValueId gradient = graph.addArgument(types.result());
    ValueId b = graph.addArgument(GemmTypes::transposed(types.b()), weights);
    last = product(gradient, b, types.a());
    break;
  }
  case GemmMode::BBackward: {
    // dB = A^T * dC, in the memory layout of B.
    ValueId gradient = graph.addArgument(types.result());
    ValueId a = graph.addArgument(GemmTypes::transposed(types.a()));
    last = product(a, gradient, types.b());
    break;
  }
  }
  last = addFactors(graph, last, {spec.alpha, spec.beta});
  TensorType type = graph.value(last).type;
  if (spec.bias)
    last = graph.addPointwise(
        PointwiseFn::Add, {last, graph.addArgument(types.column(), weights)},
        type);
  if (spec.residual)
    last = graph.addPointwise(PointwiseFn::Add, {last, graph.addArgument(type)},
                              type);
  last = addTail(graph, last, spec.tail, types.column(), weights);
  graph.addOutput(last);
  BOO_RETURN_IF_ERROR(graph.verify());
  result.name = gemmFuncName(spec);
  static constexpr std::string_view directions[] = {"forward", "a_backward",
                                                    "b_backward"};
  result.direction = directions[size_t(spec.mode)];

  // In the order in which the result lies in memory.
  bool turned = spec.columnMajor;
  if (spec.mode == GemmMode::ABackward)
    turned ^= spec.transA;
  if (spec.mode == GemmMode::BBackward)
    turned ^= spec.transB;
  std::vector<int64_t> sizes;
  for (Dim dim : type.sizes)
    sizes.push_back(dim.size());
  if (turned)
    std::swap(sizes[sizes.size() - 1], sizes[sizes.size() - 2]);
  result.outputSizes.push_back(std::move(sizes));
  return result;
}
