//===- AtenOps.h - Graphs of torch's operators ------------------*- C++ -*-===//
//
// Each builder adds what its operator computes to a Graph: arguments in the
// order of the operator's tensors, results as outputs. Element types, sizes and
// strides are those of the record; results lie in memory as eager torch lays
// them out.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "boo/driver/commands/aten/AtenCall.h"

namespace boo {

/// Makes nodes whose result types are inferred.
class AtenGraph {
public:
  AtenGraph(const AtenCall &call, Graph &graph) : Call(call), G(graph) {}

  const AtenCall &call() const { return Call; }
  Graph &graph() { return G; }
  const TensorType &typeOf(ValueId id) const { return G.value(id).type; }

  /// A node with one result: row-major unless `layout` has its sizes and is
  /// dense, then with the strides of that.
  StatusOr<ValueId> add(Op op, std::vector<ValueId> operands,
                        AttributeMap attributes,
                        const TensorType *layout = nullptr);
  /// A node with all its results; the first lies in memory as said above.
  StatusOr<std::vector<ValueId>> addAll(Op op, std::vector<ValueId> operands,
                                        AttributeMap attributes,
                                        const TensorType *layout = nullptr);
  /// The result lies in memory as the first operand that has its sizes.
  StatusOr<ValueId> pointwise(PointwiseFn fn, std::vector<ValueId> operands,
                              std::vector<double> parameters = {});
  StatusOr<ValueId> cast(ValueId value, DType to);

  /// What is computed, as reports name it: "forward" unless it is set.
  const std::string &direction() const { return Direction; }
  void setDirection(std::string direction) { Direction = std::move(direction); }

private:
  const AtenCall &Call;
  Graph &G;
  std::string Direction = "forward";
};

/// The type that sums of `dtype` are made in.
DType accumulator(DType dtype);
/// `dim` of torch, negative from the end, as an index below `rank`.
StatusOr<int64_t> wrapDim(const AtenCall &call, size_t argument, int64_t dim,
                          size_t rank);
/// One value a channel seen with the rank of `like`, along dimension 1.
TensorType channelVector(const TensorType &vector, const TensorType &like);

/// Types of at least 3 dimensions: the same in channels-last memory, and
/// whether the strides are those of that and of no other.
TensorType channelsLast(const TensorType &type);
bool isChannelsLast(const TensorType &type);

Status buildAtenMatmul(AtenGraph &build);
Status buildAtenAddmm(AtenGraph &build);
Status buildAtenLinear(AtenGraph &build);
Status buildAtenConvolution(AtenGraph &build);
Status buildAtenConv(AtenGraph &build);
Status buildAtenConvBackward(AtenGraph &build);
Status buildAtenPad(AtenGraph &build);
Status buildAtenSoftmax(AtenGraph &build);
Status buildAtenLayerNorm(AtenGraph &build);
Status buildAtenBatchNorm(AtenGraph &build);
Status buildAtenReduce(AtenGraph &build);
Status buildAtenArgReduce(AtenGraph &build);
Status buildAtenAttention(AtenGraph &build);
Status buildAtenBinary(AtenGraph &build);
Status buildAtenUnary(AtenGraph &build);

} // namespace boo
