//===- Reference.cpp - Matmul nodes in float64 ----------------------------===//
//
// Each batch's operands are first copied to dense arrays of doubles, B in
// stripes of a few columns; then small tiles of the result run over k, in a
// loop that any compiler vectorises. The bound needs the same sum over
// magnitudes, for which floats do.
//
//===----------------------------------------------------------------------===//

#include "boo/ops/matmul/Reference.h"
#include "boo/ops/ErrorBound.h"
#include "boo/ops/matmul/ErrorBound.h"

#include <algorithm>
#include <cmath>
#include <limits>

using namespace boo;

namespace {

/// Rows and columns of a tile: for 16 vector registers of 16 bytes, of which
/// the sums take 8.
constexpr int64_t TileRows = 4;
template <typename T> constexpr int64_t TileColumns = 32 / sizeof(T);

/// Of a batch index of the result, where an operand's matrix starts, and which
/// of the operand's own matrices that is.
struct BatchMap {
  BatchMap(const TensorView &view, const std::vector<int64_t> &batch) {
    size_t missing = batch.size() + 2 - view.rank();
    int64_t count = 1;
    for (int64_t size : batch)
      count *= size;
    for (int64_t i = 0; i != count; ++i) {
      int64_t rest = i, offset = 0, number = 0, below = 1;
      for (size_t d = batch.size(); d-- > missing;) {
        int64_t at = view.size(d - missing) == 1 ? 0 : rest % batch[d];
        rest /= batch[d];
        offset += at * view.stride(d - missing);
        number += at * below;
        below *= view.size(d - missing);
      }
      numbers.push_back(number);
      if (number == int64_t(starts.size()))
        starts.push_back(offset);
    }
  }
  std::vector<int64_t> numbers; ///< for each batch index of the result
  std::vector<int64_t> starts;  ///< for each matrix of the operand
};

/// The operands as type T, each element what `get(view, index)` makes of it.
template <typename T> struct Dense {
  std::vector<T> a; ///< [matrix][m][k]
  std::vector<T> b; ///< [matrix][stripe][k][column]
};

template <typename T, typename Get>
Dense<T> makeDense(const MatmulProblem &p, const TensorView &a,
                   const BatchMap &aMap, const TensorView &b,
                   const BatchMap &bMap, Workers workers, Get get) {
  Dense<T> dense;
  int64_t aRow = a.stride(a.rank() - 2), aColumn = a.stride(a.rank() - 1);
  dense.a.resize(aMap.starts.size() * size_t(p.m * p.k));
  parallelFor(int64_t(aMap.starts.size()) * p.m, 16, workers,
              [&](int64_t begin, int64_t end) {
                for (int64_t i = begin; i != end; ++i) {
                  int64_t from = aMap.starts[size_t(i / p.m)] + i % p.m * aRow;
                  for (int64_t k = 0; k != p.k; ++k)
                    dense.a[size_t(i * p.k + k)] = get(a, from + k * aColumn);
                }
              });
  constexpr int64_t Tile = TileColumns<T>;
  int64_t stripes = (p.n + Tile - 1) / Tile;
  int64_t bRow = b.stride(b.rank() - 2), bColumn = b.stride(b.rank() - 1);
  // Lanes past the last column stay 0 and are dropped later.
  dense.b.resize(bMap.starts.size() * size_t(stripes * p.k * Tile));
  parallelFor(int64_t(bMap.starts.size()) * stripes, 4, workers,
              [&](int64_t begin, int64_t end) {
                for (int64_t i = begin; i != end; ++i) {
                  int64_t first = i % stripes * Tile;
                  int64_t from =
                      bMap.starts[size_t(i / stripes)] + first * bColumn;
                  int64_t lanes = std::min(Tile, p.n - first);
                  for (int64_t k = 0; k != p.k; ++k)
                    for (int64_t lane = 0; lane != lanes; ++lane)
                      dense.b[size_t((i * p.k + k) * Tile + lane)] =
                          get(b, from + k * bRow + lane * bColumn);
                }
              });
  return dense;
}

/// The sums of one tile; rows past the last repeat it.
template <typename T>
void sumTile(const T *const (&rows)[TileRows], const T *stripe, int64_t k,
             T (&sums)[TileRows][TileColumns<T>]) {
  typedef T Vector __attribute__((vector_size(32), aligned(sizeof(T))));
  Vector acc[TileRows] = {};
  for (int64_t i = 0; i != k; ++i, stripe += TileColumns<T>) {
    Vector b = *reinterpret_cast<const Vector *>(stripe);
    for (int64_t r = 0; r != TileRows; ++r)
      acc[r] += rows[r][i] * b;
  }
  for (int64_t r = 0; r != TileRows; ++r)
    for (int64_t c = 0; c != TileColumns<T>; ++c)
      sums[r][c] = acc[r][c];
}

/// Calls `store(output index, sum)` for every output, from several threads.
template <typename T, typename Store>
void multiply(const MatmulProblem &p, const Dense<T> &dense,
              const BatchMap &aMap, const BatchMap &bMap, Workers workers,
              Store store) {
  constexpr int64_t Tile = TileColumns<T>;
  int64_t stripes = (p.n + Tile - 1) / Tile;
  // A piece of work: rows and stripes that stay in the cache together.
  constexpr int64_t PieceRows = 16, PieceStripes = 16;
  int64_t rowPieces = (p.m + PieceRows - 1) / PieceRows;
  int64_t stripePieces = (stripes + PieceStripes - 1) / PieceStripes;
  auto sumPiece = [&](int64_t piece) {
    int64_t batch = piece / (rowPieces * stripePieces);
    int64_t firstRow = piece / stripePieces % rowPieces * PieceRows;
    int64_t firstStripe = piece % stripePieces * PieceStripes;
    int64_t endRow = std::min(firstRow + PieceRows, p.m);
    int64_t endStripe = std::min(firstStripe + PieceStripes, stripes);
    const T *a = &dense.a[size_t(aMap.numbers[size_t(batch)] * p.m * p.k)];
    const T *b =
        &dense.b[size_t(bMap.numbers[size_t(batch)] * stripes * p.k * Tile)];
    for (int64_t stripe = firstStripe; stripe != endStripe; ++stripe)
      for (int64_t row = firstRow; row < endRow; row += TileRows) {
        const T *rows[TileRows];
        for (int64_t r = 0; r != TileRows; ++r)
          rows[r] = a + std::min(row + r, endRow - 1) * p.k;
        T sums[TileRows][Tile];
        sumTile(rows, b + stripe * p.k * Tile, p.k, sums);
        int64_t lanes = std::min(Tile, p.n - stripe * Tile);
        for (int64_t r = 0; r != std::min(TileRows, endRow - row); ++r)
          for (int64_t lane = 0; lane != lanes; ++lane)
            store(size_t((batch * p.m + row + r) * p.n + stripe * Tile + lane),
                  sums[r][lane]);
      }
  };
  parallelFor(p.batchCount() * rowPieces * stripePieces, 1, workers,
              [&](int64_t begin, int64_t end) {
                for (int64_t piece = begin; piece != end; ++piece)
                  sumPiece(piece);
              });
}

class Evaluator {
public:
  Evaluator(const MatmulProblem &problem, const TensorView &a,
            const TensorView &b, Workers workers)
      : P(problem), A(a), B(b), AMap(a, problem.batch), BMap(b, problem.batch),
        TheWorkers(workers) {
    Result.values.resize(size_t(P.batchCount() * P.m * P.n));
  }

  /// The sums, in T.
  template <typename T> Tensor sums() {
    auto value = [](const TensorView &view, int64_t index) {
      return T(view.value(index));
    };
    multiply<T>(P, makeDense<T>(P, A, AMap, B, BMap, TheWorkers, value), AMap,
                BMap, TheWorkers, [&](size_t index, T sum) {
                  Result.values[index] = double(sum);
                });
    return std::move(Result);
  }

  Tensor run(double factor) {
    Result = sums<double>();
    Result.errors.resize(Result.values.size());
    // Floats hold magnitudes of narrow types only, and sums of a million terms.
    if (P.dtype != DType::F64 && P.k < (1 << 20))
      bound<float>(factor);
    else
      bound<double>(factor);
    // An infinity or a NaN is certain when it comes from exact operands.
    bool certain = !hasUnknown(A) && !hasUnknown(B);
    for (size_t i = 0; i != Result.values.size(); ++i)
      if (certain && !std::isfinite(Result.values[i]))
        Result.errors[i] = 0;
      else
        Result.errors[i] =
            settledError(Result.values[i], Result.errors[i], P.accType);
    return std::move(Result);
  }

private:
  /// sum of |a|*|b| with the operands' own errors folded in, so that `factor`
  /// times the sum covers both: (|a| + da / factor) * (|b| + db / factor).
  template <typename T> void bound(double factor) {
    auto magnitude = [factor](const TensorView &view, int64_t index) {
      return T(std::fabs(view.value(index)) + view.error(index) / factor);
    };
    double terms = double(P.k);
    // These sums were rounded too, products of tiny numbers to 0 at worst; and
    // the kernel's rounding acts on operands that are off.
    double slack =
        1 + 2 * (terms + 8) * std::numeric_limits<T>::epsilon() + 2 * factor;
    double lost = terms * lostProduct(P.dtype, P.accType);
    double largest = floatLimits(P.accType).largest;
    multiply<T>(P, makeDense<T>(P, A, AMap, B, BMap, TheWorkers, magnitude),
                AMap, BMap, TheWorkers, [&](size_t index, T sum) {
                  double bound = double(sum) * slack;
                  // Partial sums may overflow where the result does not.
                  Result.errors[index] =
                      bound <= largest
                          ? bound * factor + lost
                          : std::numeric_limits<double>::infinity();
                });
  }

  const MatmulProblem &P;
  const TensorView &A, &B;
  BatchMap AMap, BMap;
  Workers TheWorkers;
  Tensor Result;
};

} // namespace

StatusOr<Tensor> boo::evaluateMatmul(const MatmulProblem &problem,
                                     const TensorView &a, const TensorView &b,
                                     std::string_view algorithm,
                                     Workers workers) {
  BOO_ASSIGN_OR_RETURN(double factor, matmulErrorFactor(algorithm, problem));
  Tensor result = Evaluator(problem, a, b, workers).run(factor);
  if (workers.giveUp())
    return cancelledReference();
  return result;
}

StatusOr<Tensor> boo::directMatmul(const MatmulProblem &problem,
                                   const TensorView &a, const TensorView &b,
                                   Workers workers) {
  Evaluator evaluator(problem, a, b, workers);
  Tensor result = problem.accType == DType::F64 ? evaluator.sums<double>()
                                                : evaluator.sums<float>();
  if (workers.giveUp())
    return cancelledReference();
  return result;
}
