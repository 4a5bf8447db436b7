//===- Attributes.h - Reading a node's attributes ---------------*- C++ -*-===//
//
// For nodes of a verified Graph, whose attributes are known to be there and of
// the right kind. ShapeInference is what checks them.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "boo/graph/Graph.h"

namespace boo {

/// The attribute `name` of kind T: int64_t, double, bool, std::string,
/// std::vector<int64_t> or DType.
template <typename T>
const T &attribute(const Node &node, const std::string &name) {
  auto it = node.attributes.find(name);
  assert(it != node.attributes.end() && "the node has no such attribute");
  const T *value = std::get_if<T>(&it->second);
  assert(value && "the attribute is of another kind");
  return *value;
}

/// The function of a pointwise node.
PointwiseFn pointwiseFn(const Node &node);
/// The values of its f64 parameters, in order.
std::vector<double> pointwiseParameters(const Node &node);

} // namespace boo
