//===- Factors.cpp - --alpha and --beta -----------------------------------===//

#include "boo/driver/commands/Factors.h"

#include <cmath>
#include <cstdio>

using namespace boo;

std::string boo::realText(double value) {
  char text[32];
  std::snprintf(text, sizeof(text), "%g", value);
  return text;
}

static bool fits(double factor) {
  constexpr double least = 1e-20, most = 1e20;
  return factor == 0 ||
         (std::fabs(factor) >= least && std::fabs(factor) <= most);
}

bool boo::factorsFit(const Factors &factors) {
  auto [alpha, beta] = factors;
  return fits(alpha) && fits(beta) && (beta == 0 || fits(alpha / beta));
}

Status boo::checkFactors(const Factors &factors) {
  auto [alpha, beta] = factors;
  if (!fits(alpha))
    return invalidArgument("--alpha (-A) " + realText(alpha) +
                           ": must be 0 or between 1e-20 and 1e20");
  if (!fits(beta))
    return invalidArgument("--beta (-B) " + realText(beta) +
                           ": must be 0 or between 1e-20 and 1e20");
  if (beta != 0 && !fits(alpha / beta))
    return invalidArgument("--alpha (-A) " + realText(alpha) +
                           " beside --beta (-B) " + realText(beta) +
                           ": their quotient must be between 1e-20 and 1e20");
  return Status::ok();
}

ValueId boo::addFactors(Graph &graph, ValueId last, const Factors &factors,
                        ValueId c) {
  TensorType type = graph.value(last).type;
  auto scale = [&](double factor) {
    if (factor != 1)
      last =
          graph.addPointwise(PointwiseFn::Scale, {last}, type, {factor, 0.0});
  };
  if (factors.beta == 0) {
    scale(factors.alpha);
    return last;
  }
  // (alpha / beta * result + C) * beta: C stays an operand of the tail.
  if (c == kNoValue)
    c = graph.addArgument(type);
  scale(factors.alpha / factors.beta);
  last = graph.addPointwise(PointwiseFn::Add, {last, c}, type);
  scale(factors.beta);
  return last;
}

std::string boo::factorsName(const Factors &factors) {
  std::string name;
  if (factors.alpha != 1)
    name += "_alpha" + realText(factors.alpha);
  if (factors.beta != 0)
    name += "_beta" + realText(factors.beta);
  return name;
}
