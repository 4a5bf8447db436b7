//===- WinogradSums.cpp - Small matrices times vectors --------------------===//
//
// The transforms' matrices hold pairs of rows or columns that belong to points
// of opposite sign: these share their even and their odd half.
//
//===----------------------------------------------------------------------===//

#include "boo/compiler/kernels/WinogradEmitter.h"

#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace boo::compiler {

/// Rows `row` and `row + 1` differ in the sign of their odd columns only.
static bool isRowPair(const SmallMatrix &m, int64_t row) {
  if (row + 1 >= m.rows)
    return false;
  bool even = false, odd = false;
  for (int64_t c = 0; c != m.columns; ++c) {
    double sign = c % 2 ? -1 : 1;
    if (m(row + 1, c) != sign * m(row, c))
      return false;
    (c % 2 ? odd : even) |= m(row, c) != 0;
  }
  return even && odd;
}

static bool isColumnPair(const SmallMatrix &m, int64_t column) {
  if (column + 1 >= m.columns)
    return false;
  bool any = false;
  for (int64_t r = 0; r != m.rows; ++r) {
    double sign = r % 2 ? -1 : 1;
    if (m(r, column + 1) != sign * m(r, column))
      return false;
    any |= r % 2 != 0 && m(r, column) != 0;
  }
  return any;
}

std::vector<Value> WinogradEmitter::apply(const SmallMatrix &m,
                                          const std::vector<Value> &column) {
  using Terms = std::vector<std::pair<double, Value>>;
  OpBuilder &b = K.builder();
  // By the parity of the row: what stands for a column.
  std::array<std::vector<Value>, 2> in{column, column};
  std::vector<bool> merged(column.size(), false);
  for (int64_t c = 0; c < m.columns; ++c) {
    if (!isColumnPair(m, c))
      continue;
    size_t i = size_t(c);
    in[0][i] = arith::AddFOp::create(b, K.loc(), column[i], column[i + 1]);
    in[1][i] = arith::SubFOp::create(b, K.loc(), column[i], column[i + 1]);
    merged[i + 1] = true;
    ++c;
  }
  std::vector<Value> result;
  for (int64_t r = 0; r < m.rows; ++r) {
    Terms even, odd;
    for (int64_t c = 0; c != m.columns; ++c)
      if (m(r, c) != 0 && !merged[size_t(c)])
        (c % 2 ? odd : even).push_back({m(r, c), in[size_t(r % 2)][size_t(c)]});
    if (!isRowPair(m, r)) {
      even.insert(even.end(), odd.begin(), odd.end());
      result.push_back(sum(even));
      continue;
    }
    double lead = odd.back().first;
    for (auto &[factor, value] : odd)
      factor /= lead;
    Value evenSum = sum(even), oddSum = sum(odd);
    result.push_back(multiplyAdd(lead, oddSum, evenSum));
    result.push_back(multiplyAdd(-lead, oddSum, evenSum));
    ++r;
  }
  return result;
}

Value WinogradEmitter::sum(const std::vector<std::pair<double, Value>> &terms) {
  // One that stands as it is starts the sum, if there is one.
  size_t first = 0;
  for (size_t i = 0; i != terms.size(); ++i)
    if (terms[i].first == 1) {
      first = i;
      break;
    }
  auto [factor, value] = terms[first];
  Value result = value;
  if (factor != 1)
    result = arith::MulFOp::create(K.builder(), K.loc(), value, splat(factor));
  for (size_t i = 0; i != terms.size(); ++i)
    if (i != first)
      result = multiplyAdd(terms[i].first, terms[i].second, result);
  return result;
}

Value WinogradEmitter::multiplyAdd(double factor, Value a, Value b) {
  OpBuilder &builder = K.builder();
  if (factor == 1)
    return arith::AddFOp::create(builder, K.loc(), b, a);
  if (factor == -1)
    return arith::SubFOp::create(builder, K.loc(), b, a);
  if (S.fma)
    return vector::FMAOp::create(builder, K.loc(), a, splat(factor), b);
  Value product = arith::MulFOp::create(builder, K.loc(), a, splat(factor));
  return arith::AddFOp::create(builder, K.loc(), product, b);
}

Value WinogradEmitter::splat(double value) {
  return arith::ConstantOp::create(
      K.builder(), K.loc(), Vector,
      DenseElementsAttr::get(Vector, K.builder().getFloatAttr(F32, value)));
}

} // namespace boo::compiler
