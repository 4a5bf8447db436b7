//===- Reference.cpp - Pool nodes in float64 ------------------------------===//

#include "boo/ops/pool/Reference.h"
#include "boo/ops/ErrorBound.h"

#include <cmath>
#include <limits>
#include <tuple>

using namespace boo;

static constexpr double Inf = std::numeric_limits<double>::infinity();
/// Units for the quotients, and for float64's own.
static constexpr double Few = 8;

namespace {

using Place = std::array<int64_t, 3>;

/// An element of a window.
struct Element {
  double value, error;
  int64_t index; ///< in its plane
};

/// Where the elements of a view [n, c, …] lie.
class Plane {
public:
  Plane(const TensorView &view, int64_t image, int64_t channel) : View(view) {
    Base = image * view.stride(0) + channel * view.stride(1);
    for (size_t i = 2; i != view.rank(); ++i)
      Strides[i + 3 - view.rank()] = view.stride(i);
  }
  int64_t at(const Place &p) const {
    return Base + p[0] * Strides[0] + p[1] * Strides[1] + p[2] * Strides[2];
  }
  double value(const Place &p) const { return View.value(at(p)); }
  double error(const Place &p) const { return View.error(at(p)); }

private:
  const TensorView &View;
  int64_t Base;
  Place Strides{0, 0, 0};
};

} // namespace

/// Calls `body(plane, index, place)` for all elements of `sizes` in each plane.
template <typename Body>
static void forEachElement(const PoolProblem &p, const Place &sizes,
                           Workers workers, Body body) {
  int64_t count = sizes[0] * sizes[1] * sizes[2];
  parallelFor(p.batch * p.channels * count, 256, workers,
              [&](int64_t begin, int64_t end) {
                for (int64_t i = begin; i != end; ++i) {
                  int64_t rest = i % count;
                  Place place{rest / (sizes[1] * sizes[2]),
                              rest / sizes[2] % sizes[1], rest % sizes[2]};
                  body(i / count, i, place);
                }
              });
}

/// Calls `body` for the elements of a window, in row-major order.
template <typename Body>
static void forEachInWindow(const PoolProblem &p, const Plane &x,
                            const Place &o, Body body) {
  PoolProblem::Taps taps[3] = {p.taps(0, o[0]), p.taps(1, o[1]),
                               p.taps(2, o[2])};
  auto position = [&](size_t dim, int64_t tap) {
    return o[dim] * p.stride[dim] + tap * p.dilation[dim] - p.padLo[dim];
  };
  for (int64_t d = taps[0].begin; d < taps[0].end; ++d)
    for (int64_t h = taps[1].begin; h < taps[1].end; ++h)
      for (int64_t w = taps[2].begin; w < taps[2].end; ++w) {
        Place i{position(0, d), position(1, h), position(2, w)};
        body(Element{x.value(i), x.error(i),
                     (i[0] * p.in[1] + i[1]) * p.in[2] + i[2]});
      }
}

/// The maximum, its error, and the error of its index.
static std::pair<Element, double> greatest(const PoolProblem &p, const Plane &x,
                                           const Place &o) {
  Element best{-Inf, 0, -1};
  double error = 0;
  forEachInWindow(p, x, o, [&](const Element &each) {
    error = std::max(error, each.error);
    if (best.index < 0 || each.value > best.value || std::isnan(each.value))
      best = each;
  });
  bool certain = true;
  if (error > 0)
    forEachInWindow(p, x, o, [&](const Element &each) {
      certain &= each.index == best.index ||
                 each.value + each.error < best.value - best.error;
    });
  best.error = error;
  return {best, certain ? 0 : Inf};
}

/// Of `n` terms whose magnitudes and errors add up to these.
static double sumError(double n, double magnitudes, double errors,
                       const FloatLimits &limits) {
  double off = errors + (n + Few) * limits.unit * (magnitudes + errors);
  // Partial sums may overflow where the result does not.
  if (std::isfinite(magnitudes) && magnitudes + off > limits.largest)
    return Inf;
  return off;
}

static Element average(const PoolProblem &p, const Plane &x, const Place &o,
                       const FloatLimits &limits) {
  double sum = 0, magnitudes = 0, errors = 0, terms = 0, divisor = 1;
  forEachInWindow(p, x, o, [&](const Element &each) {
    sum += each.value;
    magnitudes += std::fabs(each.value);
    errors += each.error;
    ++terms;
  });
  for (size_t dim = 0; dim != 3; ++dim)
    divisor *= double(p.divisor(dim, o[dim]));
  double off = sumError(terms, magnitudes, errors, limits);
  return {sum / divisor,
          off == Inf || errors == Inf ? Inf : off / divisor + limits.subnormal,
          -1};
}

StatusOr<std::vector<Tensor>> boo::evaluatePool(const PoolProblem &p,
                                                bool indices,
                                                const TensorView &x,
                                                Workers workers) {
  FloatLimits limits = floatLimits(p.accType);
  auto count = size_t(p.batch * p.channels * p.out[0] * p.out[1] * p.out[2]);
  std::vector<Tensor> results(indices ? 2 : 1);
  for (Tensor &tensor : results) {
    tensor.values.resize(count);
    tensor.errors.resize(count);
  }
  forEachElement(p, p.out, workers,
                 [&](int64_t plane, int64_t at, const Place &o) {
                   Plane input(x, plane / p.channels, plane % p.channels);
                   Element result;
                   double indexError = 0;
                   if (p.fn == PoolFn::Max)
                     std::tie(result, indexError) = greatest(p, input, o);
                   else
                     result = average(p, input, o, limits);
                   results[0].values[size_t(at)] = result.value;
                   results[0].errors[size_t(at)] =
                       settledError(result.value, result.error, p.accType);
                   if (!indices)
                     return;
                   results[1].values[size_t(at)] = double(result.index);
                   results[1].errors[size_t(at)] = indexError;
                 });
  if (workers.giveUp())
    return cancelledReference();
  return results;
}

/// Outputs along a dimension whose windows hold input `i`.
static std::vector<int64_t> holders(const PoolProblem &p, size_t dim,
                                    int64_t i) {
  std::vector<int64_t> outputs;
  for (int64_t tap = p.window[dim]; tap-- != 0;) {
    int64_t first = i + p.padLo[dim] - tap * p.dilation[dim];
    if (first >= 0 && first % p.stride[dim] == 0 &&
        first / p.stride[dim] < p.out[dim])
      outputs.push_back(first / p.stride[dim]);
  }
  return outputs;
}

StatusOr<Tensor> boo::evaluatePoolGrad(const PoolProblem &p,
                                       const TensorView &outGrad,
                                       const TensorView *indices,
                                       Workers workers) {
  FloatLimits limits = floatLimits(p.accType);
  auto count = size_t(p.batch * p.channels * p.plane());
  Tensor result;
  result.values.resize(count);
  result.errors.resize(count);
  forEachElement(
      p, p.in, workers, [&](int64_t plane, int64_t at, const Place &i) {
        Plane dy(outGrad, plane / p.channels, plane % p.channels);
        auto own = double(at % p.plane());
        double sum = 0, magnitudes = 0, errors = 0, terms = 0;
        bool uncertain = false;
        for (int64_t od : holders(p, 0, i[0]))
          for (int64_t oh : holders(p, 1, i[1]))
            for (int64_t ow : holders(p, 2, i[2])) {
              Place o{od, oh, ow};
              double divisor = 1;
              if (indices) {
                Plane from(*indices, plane / p.channels, plane % p.channels);
                uncertain |= from.error(o) == Inf;
                if (from.value(o) != own)
                  continue;
              } else {
                for (size_t dim = 0; dim != 3; ++dim)
                  divisor *= double(p.divisor(dim, o[dim]));
              }
              double term = dy.value(o) / divisor;
              sum += term;
              magnitudes += std::fabs(term);
              errors += dy.error(o) / divisor;
              ++terms;
            }
        double off = sumError(terms, magnitudes, errors, limits);
        if (uncertain || errors == Inf)
          off = Inf;
        off += terms * limits.subnormal;
        result.values[size_t(at)] = sum;
        result.errors[size_t(at)] = settledError(sum, off, p.accType);
      });
  if (workers.giveUp())
    return cancelledReference();
  return result;
}
