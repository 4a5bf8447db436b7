//===- Graph.h - The one request type ---------------------------*- C++ -*-===//
//
// Every front end ends in a Graph, everything behind it starts from one. A
// Graph is a list of values and of nodes in topological order, in SSA form. It
// knows nothing of LLVM.
//
// Text form (graph/GraphPrint.cpp, graph/GraphParse.cpp):
//
//   boo.graph 1
//   %0 = input f32[1,64,56,56]{200704,1,3584,64}
//   %1 = constant f32[64,64,3,3]{576,1,192,64}
//   %2 = input f32[1,64,1,1]{0,1,0,0}
//   %3 = conv(%0, %1) {acc = f32, dilation = [1, 1], groups = 1,
//        pad_hi = [1, 1], pad_lo = [1, 1], stride = [1, 1]}   (on one line)
//        : f32[1,64,56,56]{200704,1,3584,64}
//   %4 = pointwise(%3, %2) {fn = "add"} : f32[1,64,56,56]{200704,1,3584,64}
//   return %4
//
// `return %4 into %0` writes a result into the memory of an inout argument. A
// size may be a symbol bound at launch: `s0`. An absent optional operand is
// `_`. Layouts exist only as strides: NHWC is an NCHW tensor whose channel
// stride is 1.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "boo/base/Status.h"
#include "boo/graph/DType.h"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace boo {

/// A size: a constant, or a symbol whose value comes with the launch.
class Dim {
public:
  Dim(int64_t size = 0) : Raw(size) {}
  static Dim symbol(int32_t id) {
    Dim dim;
    dim.Raw = -1 - int64_t(id);
    return dim;
  }
  bool isSymbol() const { return Raw < 0; }
  /// The size; the Dim must be no symbol.
  int64_t size() const { return Raw; }
  int32_t symbolId() const { return int32_t(-1 - Raw); }
  bool operator==(const Dim &) const = default;

private:
  int64_t Raw;
};

/// Element type, logical sizes and element strides (same length as sizes, not
/// negative). A stride of 0 repeats an element; strides of dimensions of size 1
/// are 0 in canonical form. No alignment beyond the element is assumed.
struct TensorType {
  DType dtype = DType::F32;
  std::vector<Dim> sizes;
  std::vector<int64_t> strides;

  size_t rank() const { return sizes.size(); }
  bool isStatic() const;
  /// Product of the sizes. Static types only.
  int64_t numElements() const;
  /// Bytes from the first element to the end of the last: what a buffer must
  /// hold. 0 when a size is 0. Static types only.
  int64_t spanBytes() const;
  bool operator==(const TensorType &) const = default;

  /// Row-major strides for `sizes`.
  static TensorType contiguous(DType dtype, std::vector<int64_t> sizes);
  /// Dense strides with the dimensions laid out in `order`, outermost first:
  /// {0, 2, 3, 1} gives NHWC memory to an NCHW tensor.
  static TensorType permuted(DType dtype, std::vector<int64_t> sizes,
                             const std::vector<size_t> &order);
};

enum class Op {
#define BOO_GRAPH_OP(name, spelling, minOperands, maxOperands, results) name,
#include "boo/graph/GraphOps.inc"
};
std::string_view opName(Op op);
StatusOr<Op> parseOp(std::string_view name);

enum class PointwiseFn {
#define BOO_POINTWISE(name, spelling, operands, parameters) name,
#include "boo/graph/PointwiseFns.inc"
};
std::string_view pointwiseFnName(PointwiseFn fn);
StatusOr<PointwiseFn> parsePointwiseFn(std::string_view name);
int pointwiseFnOperands(PointwiseFn fn);
/// Names of the f64 attributes that the function takes, in order.
std::vector<std::string> pointwiseFnParameters(PointwiseFn fn);

using Attribute = std::variant<int64_t, double, bool, std::string,
                               std::vector<int64_t>, DType>;
using AttributeMap = std::map<std::string, Attribute>;

using ValueId = int32_t;
/// An absent optional operand.
inline constexpr ValueId kNoValue = -1;

enum class Role {
  Input,    ///< read at every launch
  Constant, ///< known ahead: may be packed once
  InOut,    ///< an input whose memory a result is written to
  Result,   ///< made by a node
};

struct Value {
  TensorType type;
  Role role = Role::Input;
  int32_t producer = -1; ///< index of the node that makes it, or -1
};

struct Node {
  Op op;
  std::vector<ValueId> operands;
  std::vector<ValueId> results;
  AttributeMap attributes;
};

struct Output {
  ValueId value = kNoValue;
  ValueId into = kNoValue; ///< the inout argument it overwrites, if any
};

class Graph {
public:
  /// Adds an argument; arguments are launched in the order of their addition.
  ValueId addArgument(TensorType type, Role role = Role::Input);
  /// Adds a node with results of the given types. Call verify() at the end.
  std::vector<ValueId> addNode(Op op, std::vector<ValueId> operands,
                               AttributeMap attributes,
                               std::vector<TensorType> resultTypes);
  /// A pointwise node whose result has type `type`.
  ValueId addPointwise(PointwiseFn fn, std::vector<ValueId> operands,
                       TensorType type, std::vector<double> parameters = {});
  void addOutput(ValueId value, ValueId into = kNoValue);
  /// Has a node's result lie in memory with these strides, one a dimension.
  void setStrides(ValueId value, std::vector<int64_t> strides);

  const std::vector<Value> &values() const { return Values; }
  const Value &value(ValueId id) const { return Values[size_t(id)]; }
  const std::vector<Node> &nodes() const { return Nodes; }
  const std::vector<ValueId> &arguments() const { return Arguments; }
  const std::vector<Output> &outputs() const { return Outputs; }
  int32_t numSymbols() const;

  /// Checks names, operand counts, types, shapes and attributes of every node
  /// against its op's rules (graph/ShapeInference.h).
  Status verify() const;

private:
  std::vector<Value> Values;
  std::vector<Node> Nodes;
  std::vector<ValueId> Arguments;
  std::vector<Output> Outputs;
};

/// "f32[1,64]{64,1}".
std::string printType(const TensorType &type);

/// Text form; parseGraph(printGraph(g)) prints the same text again.
std::string printGraph(const Graph &graph);
/// Never trusts its input: any text gives a verified Graph or an error that
/// names line and column.
StatusOr<Graph> parseGraph(std::string_view text);

/// The same computation in the one form that is hashed: nodes that reach no
/// output dropped, values renumbered in order of first use from the outputs'
/// nodes (arguments keep their order), strides of size-1 dimensions 0.
Graph canonicalize(const Graph &graph);

} // namespace boo
