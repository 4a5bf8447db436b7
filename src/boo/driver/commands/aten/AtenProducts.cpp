//===- AtenProducts.cpp - Matrix products of torch's ----------------------===//

#include "boo/driver/commands/Factors.h"
#include "boo/driver/commands/aten/AtenOps.h"

using namespace boo;

static StatusOr<ValueId> addProduct(AtenGraph &build, ValueId a, ValueId b) {
  return build.add(Op::Matmul, {a, b},
                   {{"acc", accumulator(build.typeOf(a).dtype)}});
}

/// A tensor with the rank that the operator asks for; 0 = at least 2.
static StatusOr<TensorType> matrix(const AtenCall &call, size_t i,
                                   size_t rank) {
  BOO_ASSIGN_OR_RETURN(TensorType type, call.tensor(i));
  if (rank ? type.rank() != rank : type.rank() < 2)
    return call.error(i, "has " + std::to_string(type.rank()) +
                             " dimensions and must have " +
                             (rank ? std::to_string(rank) : "at least 2"));
  return type;
}

static size_t rankOf(const AtenCall &call) {
  std::string_view name = call.name();
  return name == "mm" || name == "addmm"      ? 2
         : name == "bmm" || name == "baddbmm" ? 3
                                              : 0;
}

Status boo::buildAtenMatmul(AtenGraph &build) {
  const AtenCall &call = build.call();
  BOO_ASSIGN_OR_RETURN(TensorType left, matrix(call, 0, rankOf(call)));
  BOO_ASSIGN_OR_RETURN(TensorType right, matrix(call, 1, rankOf(call)));
  BOO_ASSIGN_OR_RETURN(ValueId a, build.input(0, left));
  BOO_ASSIGN_OR_RETURN(ValueId b, build.weight(1, right));
  BOO_ASSIGN_OR_RETURN(ValueId product, addProduct(build, a, b));
  build.result(product);
  return Status::ok();
}

Status boo::buildAtenAddmm(AtenGraph &build) {
  const AtenCall &call = build.call();
  BOO_ASSIGN_OR_RETURN(TensorType added, call.tensor(0));
  BOO_ASSIGN_OR_RETURN(TensorType left, matrix(call, 1, rankOf(call)));
  BOO_ASSIGN_OR_RETURN(TensorType right, matrix(call, 2, rankOf(call)));
  BOO_ASSIGN_OR_RETURN(double beta, call.real(3, 1.0));
  BOO_ASSIGN_OR_RETURN(double alpha, call.real(4, 1.0));
  Factors factors{alpha, beta};
  if (!factorsFit(factors))
    return call.error(3, "and alpha must be 0 or between 1e-20 and 1e20, and "
                         "so must alpha / beta");
  BOO_ASSIGN_OR_RETURN(ValueId c, build.weight(0, added));
  BOO_ASSIGN_OR_RETURN(ValueId a, build.input(1, left));
  BOO_ASSIGN_OR_RETURN(ValueId b, build.weight(2, right));
  BOO_ASSIGN_OR_RETURN(ValueId product, addProduct(build, a, b));
  build.result(addFactors(build.graph(), product, factors, c));
  return Status::ok();
}

Status boo::buildAtenLinear(AtenGraph &build) {
  const AtenCall &call = build.call();
  BOO_ASSIGN_OR_RETURN(TensorType input, matrix(call, 0, 0));
  BOO_ASSIGN_OR_RETURN(TensorType weight, matrix(call, 1, 2));
  std::swap(weight.sizes[0], weight.sizes[1]);
  std::swap(weight.strides[0], weight.strides[1]);
  BOO_ASSIGN_OR_RETURN(ValueId a, build.input(0, input));
  BOO_ASSIGN_OR_RETURN(ValueId b, build.weight(1, weight));
  BOO_ASSIGN_OR_RETURN(ValueId last, addProduct(build, a, b));
  if (!call.isNone(2)) {
    BOO_ASSIGN_OR_RETURN(TensorType type, call.tensor(2));
    BOO_ASSIGN_OR_RETURN(ValueId bias, build.weight(2, type));
    BOO_ASSIGN_OR_RETURN(last, build.pointwise(PointwiseFn::Add, {last, bias}));
  }
  build.result(last);
  return Status::ok();
}
