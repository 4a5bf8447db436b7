//===- Activation.cpp - MIOpen's activations as functions -----------------===//

#include "boo/driver/commands/Activation.h"

#include <cmath>

using namespace boo;

StatusOr<std::vector<TailFn>> boo::miopenActivation(const std::string &flag,
                                                    int64_t mode, double alpha,
                                                    double beta, double gamma) {
  for (double parameter : {alpha, beta, gamma})
    if (!std::isfinite(parameter))
      return invalidArgument("alpha, beta and gamma must be finite");
  using Fns = std::vector<TailFn>;
  switch (mode) {
  case 0:
    return Fns{};
  case 1:
    return Fns{{PointwiseFn::Sigmoid, {}}};
  case 2:
    return Fns{{PointwiseFn::Scale, {alpha, 0}},
               {PointwiseFn::Tanh, {}},
               {PointwiseFn::Scale, {beta, 0}}};
  case 3:
    return Fns{{PointwiseFn::Relu, {}}};
  case 4:
    return Fns{{PointwiseFn::Softplus, {}}};
  case 5:
    return Fns{{PointwiseFn::Abs, {}}};
  case 6: {
    Fns power{{PointwiseFn::Scale, {beta, alpha}}};
    if (gamma == 0.5)
      power.push_back({PointwiseFn::Sqrt, {}});
    else if (gamma != 1)
      return unsupported(flag + " 6: powers other than 1 and 0.5 (gamma) are "
                                "not available");
    return power;
  }
  case 7:
    return Fns{{PointwiseFn::Clamp, {0, alpha}}};
  case 8:
    return Fns{{PointwiseFn::LeakyRelu, {alpha}}};
  case 9:
    return Fns{{PointwiseFn::Elu, {alpha}}};
  case 10:
    return Fns{{PointwiseFn::Clamp, {alpha, beta}}};
  }
  return invalidArgument(flag + " " + std::to_string(mode) +
                         ": activations have the numbers 0 to 10");
}
