//===- AtenPad.cpp - Borders of torch's -----------------------------------===//

#include "boo/driver/commands/aten/AtenOps.h"
#include "boo/graph/ShapeInference.h"

using namespace boo;

Status boo::buildAtenPad(AtenGraph &build) {
  const AtenCall &call = build.call();
  BOO_ASSIGN_OR_RETURN(TensorType type, call.tensor(0));
  BOO_ASSIGN_OR_RETURN(std::vector<int64_t> pad, call.integers(1));
  BOO_ASSIGN_OR_RETURN(double value, call.real(2, 0.0));
  if (pad.size() % 2 != 0 || pad.size() / 2 > type.rank())
    return call.error(1, "must have two entries for each of some of the "
                         "input's last dimensions");
  std::vector<int64_t> lo(type.rank()), hi(type.rank());
  // The last dimension's come first.
  for (size_t i = 0; i != pad.size() / 2; ++i) {
    lo[type.rank() - 1 - i] = pad[2 * i];
    hi[type.rank() - 1 - i] = pad[2 * i + 1];
  }
  AttributeMap attributes{{"hi", hi}, {"lo", lo}, {"value", value}};
  auto inferred = inferResults(Op::Pad, attributes, {type});
  if (!inferred.isOk())
    return inferred.status().withContext("aten::" + std::string(call.name()));
  TensorType layout = inferred->front();
  if ((type.rank() == 4 || type.rank() == 5) && isChannelsLast(type))
    layout = channelsLast(layout);
  BOO_ASSIGN_OR_RETURN(ValueId x, build.input(0));
  BOO_ASSIGN_OR_RETURN(ValueId made,
                       build.add(Op::Pad, {x}, attributes, &layout));
  build.result(made);
  return Status::ok();
}
