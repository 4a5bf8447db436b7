//===- AttributeReader.h - What shape inference is made of ------*- C++ -*-===//
//
// Of graph/ only: what the families of ops share when they look at attributes
// and sizes, and their entries.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "boo/graph/Graph.h"

#include <algorithm>

namespace boo {

/// Takes attributes one by one and complains about the rest at the end.
class AttributeReader {
public:
  AttributeReader(Op op, const AttributeMap &map)
      : Name(opName(op)), Map(map) {}

  template <typename T>
  StatusOr<T> take(const std::string &name, const char *kind) {
    Known.push_back(name);
    auto it = Map.find(name);
    if (it == Map.end())
      return invalidArgument(Name + " needs the attribute `" + name + "`");
    const T *value = std::get_if<T>(&it->second);
    if (!value)
      return invalidArgument("attribute `" + name + "` of " + Name +
                             " must be " + kind);
    return *value;
  }

  /// Whether the attribute is there and of kind T, for those of several kinds.
  template <typename T> bool holds(const std::string &name) const {
    auto it = Map.find(name);
    return it != Map.end() && std::holds_alternative<T>(it->second);
  }

  /// An attribute that is there only when it is true.
  StatusOr<bool> takeMark(const std::string &name) {
    if (!Map.count(name))
      return false;
    StatusOr<bool> value = take<bool>(name, "true or left out");
    if (value.isOk() && !*value)
      return invalidArgument("attribute `" + name + "` of " + Name +
                             " must be true or left out");
    return value;
  }

  Status finish() const {
    for (const auto &[name, value] : Map)
      if (std::find(Known.begin(), Known.end(), name) == Known.end())
        return invalidArgument(Name + " has no attribute `" + name + "`");
    return Status::ok();
  }

private:
  std::string Name;
  const AttributeMap &Map;
  std::vector<std::string> Known;
};

/// The type of the sums, the attribute `acc`: f32 or wider.
Status takeAcc(AttributeReader &reader, Op op, DType dtype);

/// Row-major. A symbol counts as 1: a front end that knows better says so.
TensorType rowMajor(DType dtype, const std::vector<Dim> &sizes);

/// "s0" or "64", and "[s0,64]".
std::string dimText(Dim dim);
std::string sizesText(const std::vector<Dim> &sizes);

StatusOr<std::vector<TensorType>>
inferAttention(AttributeReader &reader,
               const std::vector<TensorType> &operands);
StatusOr<std::vector<TensorType>>
inferAttentionGrad(AttributeReader &reader,
                   const std::vector<TensorType> &operands);
StatusOr<std::vector<TensorType>>
inferNorm(AttributeReader &reader, const std::vector<TensorType> &operands);
StatusOr<std::vector<TensorType>>
inferNormGrad(AttributeReader &reader, const std::vector<TensorType> &operands);
StatusOr<std::vector<TensorType>>
inferBatchNorm(AttributeReader &reader,
               const std::vector<TensorType> &operands);
StatusOr<std::vector<TensorType>>
inferBatchNormGrad(AttributeReader &reader,
                   const std::vector<TensorType> &operands);
/// Of softmax and its gradient.
StatusOr<std::vector<TensorType>>
inferSoftmax(Op op, AttributeReader &reader,
             const std::vector<TensorType> &operands);
StatusOr<std::vector<TensorType>>
inferReduce(AttributeReader &reader, const std::vector<TensorType> &operands);
StatusOr<std::vector<TensorType>>
inferArgReduce(AttributeReader &reader,
               const std::vector<TensorType> &operands);
StatusOr<std::vector<TensorType>>
inferPool(AttributeReader &reader, const std::vector<TensorType> &operands);
StatusOr<std::vector<TensorType>>
inferPoolGrad(AttributeReader &reader, const std::vector<TensorType> &operands);
StatusOr<std::vector<TensorType>>
inferPad(AttributeReader &reader, const std::vector<TensorType> &operands);

} // namespace boo
