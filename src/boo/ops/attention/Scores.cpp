//===- Scores.cpp - Scores of an attention's rows, with bounds ------------===//

#include "boo/ops/attention/Scores.h"

using namespace boo;

static constexpr double Inf = std::numeric_limits<double>::infinity();

Norms boo::normsOf(const TensorView &view, int64_t at, int64_t count,
                   int64_t stride) {
  Norms norms;
  double largestError = 0;
  for (int64_t i = 0; i != count; ++i) {
    double value = view.value(at + i * stride);
    double error = view.error(at + i * stride);
    norms.hasNaN |= std::isnan(value);
    norms.isInfinite |= std::isinf(value);
    norms.largest = std::max(norms.largest, std::fabs(value));
    largestError = std::max(largestError, std::isnan(error) ? Inf : error);
  }
  if (norms.hasNaN || norms.isInfinite || largestError == Inf) {
    norms.values = norms.errors = Inf;
    return norms;
  }
  // Scaled, so that squares neither overflow nor vanish.
  double values = 0, errors = 0;
  for (int64_t i = 0; i != count; ++i) {
    double value = view.value(at + i * stride);
    double error = view.error(at + i * stride);
    if (norms.largest > 0)
      values += (value / norms.largest) * (value / norms.largest);
    if (largestError > 0)
      errors += (error / largestError) * (error / largestError);
  }
  norms.values = norms.largest * std::sqrt(values);
  norms.errors = largestError * std::sqrt(errors);
  return norms;
}

KeyData ScoreReader::readKeys(int64_t batch, int64_t head) const {
  KeyData data;
  data.elements.resize(size_t(P.depth * P.keys));
  int64_t base = batch * P.k.batch + head * P.k.head;
  for (int64_t t = 0; t != P.keys; ++t) {
    int64_t row = base + t * P.k.row;
    for (int64_t d = 0; d != P.depth; ++d)
      data.elements[size_t(d * P.keys + t)] = K.value(row + d * P.k.column);
    data.norms.push_back(normsOf(K, row, P.depth, P.k.column));
  }
  return data;
}

Scores ScoreReader::row(int64_t batch, int64_t head, int64_t query,
                        const KeyData &keys) const {
  constexpr double Few = 32;
  int64_t base = batch * P.q.batch + head * P.q.head + query * P.q.row;
  int64_t mask = batch * P.mask.batch + head * P.mask.head + query * P.mask.row;
  Norms norms = normsOf(Q, base, P.depth, P.q.column);
  Scores result;
  result.seen = P.causal ? std::min(query + 1, P.keys) : P.keys;
  result.x.assign(size_t(P.keys), 0);
  result.errors.assign(size_t(P.keys), 0);
  for (int64_t d = 0; d != P.depth; ++d) {
    double factor = P.scale * Q.value(base + d * P.q.column);
    const double *key = &keys.elements[size_t(d * P.keys)];
    for (int64_t t = 0; t != result.seen; ++t)
      result.x[size_t(t)] += factor * key[t];
  }
  result.isNaN = norms.hasNaN;
  result.isUnknown = !norms.isKnown();
  double scale = std::fabs(P.scale), depth = double(P.depth);
  double terms = (depth + Few) * 2 * L.unit;
  if (scale * norms.largest > L.largest / 2)
    result.isUnknown = true;
  for (int64_t t = 0; t != result.seen; ++t) {
    const Norms &key = keys.norms[size_t(t)];
    result.isNaN |= key.hasNaN;
    double size = scale * norms.values * key.values;
    double error = terms * size +
                   scale * (norms.values * key.errors +
                            norms.errors * (key.values + key.errors)) +
                   2 * depth * L.subnormal * (1 + key.values);
    // Partial sums may overflow where the score does not.
    if (!(size + error <= L.largest / 2))
      result.isUnknown = true;
    if (Mask)
      addMask(mask + t * P.mask.column, &result.x[size_t(t)], &error, &result);
    result.errors[size_t(t)] = error;
  }
  return result;
}

void ScoreReader::addMask(int64_t at, double *x, double *error,
                          Scores *scores) const {
  double mask = Mask->value(at);
  *x += mask;
  *error += Mask->error(at);
  *error += 2 * L.unit * (std::fabs(*x) + *error);
  if (std::isnan(mask) || mask == Inf)
    scores->isNaN = true;
  if (mask == -Inf)
    *error = 0;
}

static TensorType typeOf(const TensorView &view) {
  TensorType type;
  for (size_t dim = 0; dim != view.rank(); ++dim) {
    type.sizes.push_back(view.size(dim));
    type.strides.push_back(view.stride(dim));
  }
  return type;
}

AttentionProblem boo::viewedProblem(const AttentionProblem &problem,
                                    const std::vector<TensorView> &operands) {
  AttentionProblem p = problem;
  p.q = headStrides(typeOf(operands[0]), p.heads);
  p.k = headStrides(typeOf(operands[1]), p.kvHeads);
  p.v = headStrides(typeOf(operands[2]), p.kvHeads);
  if (p.isGradient) {
    p.out = headStrides(typeOf(operands[3]), p.heads);
    p.lse = lseStrides(typeOf(operands[4]));
    p.dout = headStrides(typeOf(operands[5]), p.heads);
  }
  if (p.hasMask)
    p.mask = maskStrides(typeOf(operands[p.isGradient ? 6 : 3]));
  return p;
}
