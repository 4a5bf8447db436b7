//===- ShapeInferenceOfAttention.cpp - Queries, keys, values --------------===//
//
// attention(q, k, v[, mask]) = softmax(scale * q k^T + mask) v for each head.
// Operands are q [B, H, S, D], k [B, Hkv, T, D], v [B, Hkv, T, Dv], in memory
// of any strides; or [B, S, H * D], [B, T, Hkv * D], [B, T, Hkv * Dv] with the
// attribute `heads` = H, as projections give them. H is a multiple of Hkv: as
// many neighbouring query heads share a head of keys. The mask is added to the
// scores: a tensor that is broadcast to [B, H, S, T]. With `causal`, query i
// sees the keys 0 to i (top left, as torch's scaled_dot_product_attention).
// With `logsumexp`, a second result [B, H, S] holds the logarithms of the sums
// of exponentials. A query whose scores are all -inf gives zeros, and -inf.
//
// attention_grad(q, k, v, out, logsumexp, dout[, mask]) gives the gradients of
// q, k and v from an attention's operands, both of its results, and the
// gradient of the first.
//
//===----------------------------------------------------------------------===//

#include "boo/graph/AttributeReader.h"

#include <cmath>

using namespace boo;

static std::string str(int64_t value) { return std::to_string(value); }

namespace {
/// The sizes of one of q, k and v.
struct HeadSizes {
  Dim batch;
  int64_t heads = 0, rows = 0, depth = 0;
};
} // namespace

static Status checkOperands(const std::vector<TensorType> &operands) {
  static constexpr const char *names[] = {"q", "k", "v"};
  const TensorType &q = operands[0];
  if (!isFloat(q.dtype))
    return unsupported("attention of " + std::string(dtypeName(q.dtype)));
  if (q.rank() != 3 && q.rank() != 4)
    return invalidArgument("attention's q is " + sizesText(q.sizes) +
                           " and must be [B,H,S,D], or [B,S,H*D] with the "
                           "attribute `heads`");
  for (size_t i = 0; i != 3; ++i) {
    const TensorType &type = operands[i];
    std::string name = "attention's " + std::string(names[i]);
    if (type.dtype != q.dtype)
      return invalidArgument(name + " is " +
                             std::string(dtypeName(type.dtype)) +
                             " and its q " + std::string(dtypeName(q.dtype)));
    if (type.rank() != q.rank())
      return invalidArgument(name + " has " + str(int64_t(type.rank())) +
                             " dimensions and its q " + str(int64_t(q.rank())));
    for (size_t dim = 0; dim != type.rank(); ++dim) {
      if (type.sizes[dim].isSymbol() && dim != 0)
        return unsupported(name + " is " + sizesText(type.sizes) +
                           ": only the batch size may be a symbol");
      if (!type.sizes[dim].isSymbol() && type.sizes[dim].size() == 0)
        return invalidArgument(name + " is " + sizesText(type.sizes) +
                               ": no size may be 0");
    }
  }
  return Status::ok();
}

/// Of q when `depth` is 0; k and v have heads of `depth` elements, or are cut
/// into `heads`.
static HeadSizes headSizes(const TensorType &type, int64_t heads) {
  auto size = [&](size_t dim) { return type.sizes[dim].size(); };
  if (type.rank() == 4)
    return {type.sizes[0], size(1), size(2), size(3)};
  return {type.sizes[0], heads, size(1), size(2) / heads};
}

static Status checkMask(const TensorType &mask, const TensorType &q,
                        const std::vector<Dim> &scores) {
  if (!isFloat(mask.dtype) ||
      (mask.dtype != q.dtype && mask.dtype != DType::F32))
    return invalidArgument("attention's mask is " +
                           std::string(dtypeName(mask.dtype)) +
                           " and must be f32 or of its q's type: it is added "
                           "to the scores");
  bool fits = mask.rank() <= 4;
  for (size_t i = 0; fits && i != mask.rank(); ++i) {
    Dim whole = scores[4 - mask.rank() + i];
    fits = mask.sizes[i] == Dim(1) || mask.sizes[i] == whole;
  }
  if (!fits)
    return invalidArgument("attention's mask is " + sizesText(mask.sizes) +
                           " and must be broadcast to " + sizesText(scores));
  return Status::ok();
}

/// The attribute `heads`, for operands whose heads share a dimension.
static StatusOr<int64_t> takeHeads(AttributeReader &reader,
                                   const TensorType &q) {
  if (q.rank() == 4)
    return q.sizes[1].size();
  BOO_ASSIGN_OR_RETURN(auto heads, reader.take<int64_t>("heads", "an integer"));
  int64_t width = q.sizes[2].size();
  if (heads < 1 || width % heads != 0)
    return invalidArgument("attribute `heads` of attention is " + str(heads) +
                           " and must divide the last size of its q, " +
                           str(width));
  return heads;
}

namespace {
/// What both directions read off q, k, v, the mask and common attributes.
struct AttentionSizes {
  std::vector<Dim> out, lse;
};
} // namespace

/// The sizes of an attention's results.
static StatusOr<AttentionSizes>
inferSizes(AttributeReader &reader, Op op,
           const std::vector<TensorType> &operands, const TensorType *mask) {
  BOO_RETURN_IF_ERROR(checkOperands(operands));
  const TensorType &q = operands[0];
  BOO_ASSIGN_OR_RETURN(int64_t heads, takeHeads(reader, q));
  HeadSizes query = headSizes(q, heads);
  // The heads of keys follow from the depth that they share with q.
  int64_t keyWidth = operands[1].sizes.back().size();
  if (q.rank() == 3 && keyWidth % query.depth != 0)
    return invalidArgument("attention's k has a last size of " + str(keyWidth) +
                           ", no whole number of heads of " + str(query.depth));
  HeadSizes key = headSizes(operands[1], keyWidth / query.depth);
  int64_t kvHeads = key.heads;
  if (q.rank() == 3 && operands[2].sizes.back().size() % kvHeads != 0)
    return invalidArgument("attention's v has a last size of " +
                           str(operands[2].sizes.back().size()) +
                           ", and its k has " + str(kvHeads) + " heads");
  HeadSizes value = headSizes(operands[2], kvHeads);
  if (key.batch != query.batch || value.batch != query.batch ||
      key.depth != query.depth || value.heads != kvHeads ||
      value.rows != key.rows)
    return invalidArgument(
        "attention's q " + sizesText(q.sizes) + ", k " +
        sizesText(operands[1].sizes) + " and v " +
        sizesText(operands[2].sizes) +
        " do not agree: they must be [B,H,S,D], [B,Hkv,T,D], [B,Hkv,T,Dv]");
  if (heads % kvHeads != 0)
    return invalidArgument("attention's q has " + str(heads) +
                           " heads, which is no multiple of its k's " +
                           str(kvHeads));
  std::vector<Dim> scores{query.batch, heads, query.rows, key.rows};
  if (mask)
    BOO_RETURN_IF_ERROR(checkMask(*mask, q, scores));

  BOO_RETURN_IF_ERROR(takeAcc(reader, op, q.dtype));
  BOO_RETURN_IF_ERROR(reader.take<bool>("causal", "true or false").status());
  BOO_ASSIGN_OR_RETURN(auto scale,
                       reader.take<double>("scale", "a real number"));
  if (!(std::fabs(scale) <= 1e30))
    return invalidArgument("attribute `scale` of attention is " +
                           std::to_string(scale) +
                           " and must lie between -1e30 and 1e30");
  AttentionSizes sizes;
  sizes.lse = {query.batch, heads, query.rows};
  sizes.out = {query.batch, heads, query.rows, value.depth};
  if (q.rank() == 3) {
    int64_t width;
    if (__builtin_mul_overflow(heads, value.depth, &width))
      return invalidArgument("attention's result overflows 63 bits");
    sizes.out = {query.batch, query.rows, width};
  }
  return sizes;
}

static DType sumType(DType dtype) {
  return dtype == DType::F64 ? DType::F64 : DType::F32;
}

StatusOr<std::vector<TensorType>>
boo::inferAttention(AttributeReader &reader,
                    const std::vector<TensorType> &operands) {
  BOO_ASSIGN_OR_RETURN(
      AttentionSizes sizes,
      inferSizes(reader, Op::Attention, operands,
                 operands.size() > 3 ? &operands[3] : nullptr));
  BOO_ASSIGN_OR_RETURN(bool logsumexp,
                       reader.take<bool>("logsumexp", "true or false"));
  DType dtype = operands[0].dtype;
  std::vector<TensorType> results{rowMajor(dtype, sizes.out)};
  if (logsumexp)
    results.push_back(rowMajor(sumType(dtype), sizes.lse));
  return results;
}

StatusOr<std::vector<TensorType>>
boo::inferAttentionGrad(AttributeReader &reader,
                        const std::vector<TensorType> &operands) {
  BOO_ASSIGN_OR_RETURN(
      AttentionSizes sizes,
      inferSizes(reader, Op::AttentionGrad, operands,
                 operands.size() > 6 ? &operands[6] : nullptr));
  DType dtype = operands[0].dtype;
  auto check = [&](size_t operand, const char *name, DType wantType,
                   const std::vector<Dim> &want) {
    const TensorType &type = operands[operand];
    if (type.dtype == wantType && type.sizes == want)
      return Status::ok();
    return invalidArgument("attention_grad's " + std::string(name) + " is " +
                           std::string(dtypeName(type.dtype)) +
                           sizesText(type.sizes) + " and must be " +
                           std::string(dtypeName(wantType)) + sizesText(want));
  };
  BOO_RETURN_IF_ERROR(check(3, "out", dtype, sizes.out));
  BOO_RETURN_IF_ERROR(check(4, "logsumexp", sumType(dtype), sizes.lse));
  BOO_RETURN_IF_ERROR(check(5, "dout", dtype, sizes.out));
  std::vector<TensorType> results;
  for (size_t i = 0; i != 3; ++i)
    results.push_back(rowMajor(dtype, operands[i].sizes));
  return results;
}
