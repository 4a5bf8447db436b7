//===- ShapeInferenceOfPads.cpp - Tensors with a border -------------------===//
//
// pad(x) is x with `lo` further elements before it and `hi` behind it in each
// dimension, all of them `value`, rounded to x's type. Negative numbers cut
// elements off.
//
//===----------------------------------------------------------------------===//

#include "boo/graph/AttributeReader.h"

#include <algorithm>

using namespace boo;

static std::string str(int64_t value) { return std::to_string(value); }

static StatusOr<std::vector<int64_t>>
takeBorder(AttributeReader &reader, const std::string &name, size_t rank) {
  constexpr int64_t most = (int64_t(1) << 31) - 1;
  BOO_ASSIGN_OR_RETURN(auto values, reader.take<std::vector<int64_t>>(
                                        name, "a list of integers"));
  std::string what = "attribute `" + name + "` of pad";
  if (values.size() != rank)
    return invalidArgument(what + " has " + str(int64_t(values.size())) +
                           " entries and its operand " + str(int64_t(rank)) +
                           " dimensions");
  for (int64_t value : values)
    if (value < -most || value > most)
      return invalidArgument(what + " is " + str(value) +
                             " and must lie between " + str(-most) + " and " +
                             str(most));
  return values;
}

StatusOr<std::vector<TensorType>>
boo::inferPad(AttributeReader &reader,
              const std::vector<TensorType> &operands) {
  const TensorType &x = operands[0];
  if (!isFloat(x.dtype))
    return unsupported("pad of " + std::string(dtypeName(x.dtype)));
  BOO_ASSIGN_OR_RETURN(auto lo, takeBorder(reader, "lo", x.rank()));
  BOO_ASSIGN_OR_RETURN(auto hi, takeBorder(reader, "hi", x.rank()));
  BOO_RETURN_IF_ERROR(reader.take<double>("value", "a real number").status());
  std::vector<Dim> sizes = x.sizes;
  for (size_t i = 0; i != sizes.size(); ++i) {
    if (lo[i] == 0 && hi[i] == 0)
      continue;
    if (sizes[i].isSymbol())
      return unsupported("pad along dimension " + str(int64_t(i)) +
                         ", whose size is a symbol");
    int64_t size = sizes[i].size();
    // What is cut off first, so that something is left to stand in a border.
    int64_t left =
        size + std::min<int64_t>(lo[i], 0) + std::min<int64_t>(hi[i], 0);
    if (left < 1)
      return invalidArgument("pad by " + str(lo[i]) + " and " + str(hi[i]) +
                             " leaves nothing of dimension " + str(int64_t(i)) +
                             ", which has size " + str(size));
    if (__builtin_add_overflow(size, lo[i] + hi[i], &size))
      return invalidArgument("pad's result overflows 63 bits");
    sizes[i] = Dim(size);
  }
  return std::vector<TensorType>{rowMajor(x.dtype, sizes)};
}
