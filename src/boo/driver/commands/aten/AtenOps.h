//===- AtenOps.h - Graphs of torch's operators ------------------*- C++ -*-===//
//
// Each builder adds what its operator computes to a Graph. Element types, sizes
// and strides of its operands are those of the call; results lie in memory as
// eager torch lays them out.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "boo/driver/commands/aten/AtenCall.h"

namespace boo {

/// One call on its way into a Graph: makes nodes whose result types are
/// inferred.
class AtenGraph {
public:
  /// The call's tensors become arguments of the Graph.
  AtenGraph(const AtenCall &call, Graph &graph) : Call(call), G(graph) {}
  /// They are values of the Graph: `given` has one for each argument of the
  /// call, kNoValue for what is no tensor.
  AtenGraph(const AtenCall &call, Graph &graph, std::span<const ValueId> given)
      : Call(call), G(graph), Given(given) {}

  const AtenCall &call() const { return Call; }
  Graph &graph() { return G; }
  const TensorType &typeOf(ValueId id) const { return G.value(id).type; }

  /// The call's argument `i`, a tensor, with the sizes and strides of `type`:
  /// those of the call, or another view of the same elements. Unsupported when
  /// such a view would be one of a result, unless that is a vector whose
  /// elements are computed one by one: then they are computed in the view.
  StatusOr<ValueId> input(size_t i, TensorType type, Role role = Role::Input);
  /// The same as the call has it.
  StatusOr<ValueId> input(size_t i);
  /// An input that is known ahead where the call says that weights are.
  StatusOr<ValueId> weight(size_t i, TensorType type) {
    return input(i, std::move(type), Call.weightRole());
  }
  /// The operator's next result, which overwrites an input or not.
  void result(ValueId value, ValueId into = kNoValue) {
    Results.push_back({value, into});
  }
  const std::vector<Output> &results() const { return Results; }
  /// An argument of the Graph that a view of one became.
  struct View {
    ValueId of, argument;
  };
  const std::vector<View> &views() const { return Views; }

  /// A node with one result: row-major unless `layout` has its sizes, then
  /// dense and in the order of that one's strides.
  StatusOr<ValueId> add(Op op, std::vector<ValueId> operands,
                        AttributeMap attributes,
                        const TensorType *layout = nullptr);
  /// A node with all its results; the first lies in memory as said above.
  StatusOr<std::vector<ValueId>> addAll(Op op, std::vector<ValueId> operands,
                                        AttributeMap attributes,
                                        const TensorType *layout = nullptr);
  /// Types of a node's results, row-major.
  StatusOr<std::vector<TensorType>> infer(Op op,
                                          const std::vector<ValueId> &operands,
                                          const AttributeMap &attributes) const;
  /// The result lies in memory as the first operand that has its sizes.
  StatusOr<ValueId> pointwise(PointwiseFn fn, std::vector<ValueId> operands,
                              std::vector<double> parameters = {});
  StatusOr<ValueId> cast(ValueId value, DType to);

  /// What is computed, as reports name it: "forward" unless it is set.
  const std::string &direction() const { return Direction; }
  void setDirection(std::string direction) { Direction = std::move(direction); }

private:
  StatusOr<ValueId> viewOf(ValueId value, const TensorType &type, Role role);

  const AtenCall &Call;
  Graph &G;
  std::span<const ValueId> Given;
  std::vector<Output> Results;
  std::vector<View> Views;
  std::string Direction = "forward";
};

/// The type that sums of `dtype` are made in.
DType accumulator(DType dtype);
/// `dim` of torch, negative from the end, as an index below `rank`.
StatusOr<int64_t> wrapDim(const AtenCall &call, size_t argument, int64_t dim,
                          size_t rank);
/// One value a channel seen with the rank of `like`, along dimension 1.
TensorType channelVector(const TensorType &vector, const TensorType &like);

/// One entry a spatial dimension; a single one stands for all of them.
StatusOr<std::vector<int64_t>> spatialList(const AtenCall &call, size_t i,
                                           size_t rank, int64_t otherwise);

/// Of input, weight and bias, argument `i`: which gradients are results. At
/// least one is; None stands for all.
StatusOr<std::vector<bool>> outputMask(const AtenCall &call, size_t i);

/// Refuses a softplus that torch computes otherwise than the Graph does: with
/// the arguments `self` and, one by one, `beta` and a threshold.
Status checkSoftplus(const AtenCall &call, size_t self, size_t beta);

/// Types of at least 3 dimensions: the same in channels-last memory, and
/// whether the strides are those of that and of no other.
TensorType channelsLast(const TensorType &type);
bool isChannelsLast(const TensorType &type);
/// `type` dense and in the order of the strides of `layout`; as it is where
/// sizes differ or `layout` repeats elements.
TensorType inOrderOf(const TensorType &layout, TensorType type);
/// The same sizes as torch lays out what is computed of images: channels last
/// if `type` is so, else row-major.
TensorType suggestedMemory(const TensorType &type);

/// An operator that BOO computes.
struct AtenOp {
  std::string_view name; ///< "aten::mm"
  Status (*build)(AtenGraph &);
  std::string_view schema; ///< names of its arguments, ", " between them
};
/// NULL when there is none of this name.
const AtenOp *findAtenOp(std::string_view name);

Status buildAtenMatmul(AtenGraph &build);
Status buildAtenAddmm(AtenGraph &build);
Status buildAtenLinear(AtenGraph &build);
Status buildAtenConvolution(AtenGraph &build);
Status buildAtenConv(AtenGraph &build);
Status buildAtenConvBackward(AtenGraph &build);
Status buildAtenPad(AtenGraph &build);
Status buildAtenSoftmax(AtenGraph &build);
Status buildAtenLayerNorm(AtenGraph &build);
Status buildAtenSoftmaxGrad(AtenGraph &build);
Status buildAtenLayerNormGrad(AtenGraph &build);
Status buildAtenBatchNorm(AtenGraph &build);
Status buildAtenBatchNormGrad(AtenGraph &build);
Status buildAtenMaxPool(AtenGraph &build);
Status buildAtenMaxPoolGrad(AtenGraph &build);
Status buildAtenAvgPool(AtenGraph &build);
Status buildAtenAvgPoolGrad(AtenGraph &build);
Status buildAtenAdaptivePool(AtenGraph &build);
Status buildAtenAdaptivePoolGrad(AtenGraph &build);
Status buildAtenReduce(AtenGraph &build);
Status buildAtenArgReduce(AtenGraph &build);
Status buildAtenAttention(AtenGraph &build);
Status buildAtenFlashAttention(AtenGraph &build);
Status buildAtenFlashAttentionGrad(AtenGraph &build);
Status buildAtenBinary(AtenGraph &build);
Status buildAtenProductSum(AtenGraph &build);
Status buildAtenUnary(AtenGraph &build);
Status buildAtenPower(AtenGraph &build);
Status buildAtenCopy(AtenGraph &build);
Status buildAtenActivationGrad(AtenGraph &build);

} // namespace boo
