//===- Operands.cpp -------------------------------------------------------===//

#include "boo/driver/Operands.h"
#include "boo/driver/Consistent.h"
#include "boo/driver/Timer.h"

#include <algorithm>

using namespace boo;

int64_t Operands::bytes(const Graph &graph) {
  int64_t total = 0;
  auto add = [&](const TensorType &type) {
    if (__builtin_add_overflow(total, type.spanBytes(), &total))
      total = INT64_MAX;
  };
  for (ValueId id : graph.arguments())
    add(graph.value(id).type);
  for (const Output &output : graph.outputs())
    if (output.into == kNoValue)
      add(graph.value(output.value).type);
  return total;
}

StatusOr<Operands> Operands::create(const Graph &graph) {
  Operands operands;
  for (ValueId id : graph.arguments()) {
    BOO_ASSIGN_OR_RETURN(
        auto buffer, GuardedBuffer::create(graph.value(id).type.spanBytes()));
    operands.Arguments.push_back(std::move(buffer));
  }
  for (const Output &output : graph.outputs()) {
    if (output.into != kNoValue)
      continue;
    BOO_ASSIGN_OR_RETURN(
        auto buffer,
        GuardedBuffer::create(graph.value(output.value).type.spanBytes()));
    operands.Outputs.push_back(std::move(buffer));
  }
  operands.findAddresses(graph);
  return operands;
}

void Operands::place(const Graph &graph, bool aligned) {
  auto offset = [&](ValueId id) {
    return aligned ? 0 : dtypeBytes(graph.value(id).type.dtype);
  };
  for (size_t i = 0; i != Arguments.size(); ++i)
    Arguments[i].place(offset(graph.arguments()[i]));
  size_t next = 0;
  for (const Output &output : graph.outputs())
    if (output.into == kNoValue)
      Outputs[next++].place(offset(output.value));
  findAddresses(graph);
}

void Operands::findAddresses(const Graph &graph) {
  in.clear();
  for (const GuardedBuffer &buffer : Arguments)
    in.push_back(buffer.data());
  out.clear();
  size_t next = 0;
  for (const Output &output : graph.outputs()) {
    auto argument = std::find(graph.arguments().begin(),
                              graph.arguments().end(), output.into);
    bool owned = output.into == kNoValue;
    out.push_back(
        owned ? Outputs[next++].data()
              : Arguments[size_t(argument - graph.arguments().begin())].data());
  }
}

void Operands::fill(const Graph &graph, FillSpec spec, FillKind rest) {
  FillKind first = spec.kind;
  for (size_t i = 0; i != Arguments.size(); ++i) {
    spec.operand = i;
    spec.kind = i == 0 ? first : rest;
    fillTensor(graph.value(graph.arguments()[i]).type, Arguments[i].data(),
               spec);
  }
  std::vector<void *> buffers;
  for (const GuardedBuffer &buffer : Arguments)
    buffers.push_back(buffer.data());
  makeConsistent(graph, buffers);
}

void Operands::poisonOutputs() {
  for (GuardedBuffer &buffer : Outputs)
    buffer.poison();
}

void Operands::evict() const {
  for (const GuardedBuffer &buffer : Arguments)
    evictFromCaches(buffer.data(), buffer.size());
  for (const GuardedBuffer &buffer : Outputs)
    evictFromCaches(buffer.data(), buffer.size());
}

static Status checkBuffer(const GuardedBuffer &buffer, const char *what,
                          size_t index) {
  int64_t at = buffer.strayByte();
  if (at == GuardedBuffer::kNone)
    return Status::ok();
  return Status(StatusCode::KernelError,
                "the kernel wrote beside " + std::string(what) + " " +
                    std::to_string(index) + ": " +
                    (at < 0 ? std::to_string(-at) + " bytes before its begin"
                            : std::to_string(at - buffer.size()) +
                                  " bytes behind its end") +
                    " (it has " + std::to_string(buffer.size()) + ")");
}

Status Operands::checkIntact() const {
  for (size_t i = 0; i != Arguments.size(); ++i)
    BOO_RETURN_IF_ERROR(checkBuffer(Arguments[i], "argument", i));
  for (size_t i = 0; i != Outputs.size(); ++i)
    BOO_RETURN_IF_ERROR(checkBuffer(Outputs[i], "output", i));
  return Status::ok();
}
