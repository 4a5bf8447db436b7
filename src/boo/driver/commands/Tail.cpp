//===- Tail.cpp - The pointwise functions of --tail -----------------------===//

#include "boo/driver/commands/Tail.h"
#include "boo/driver/commands/Flags.h"
#include "boo/driver/commands/Nearest.h"

#include <algorithm>
#include <cmath>

using namespace boo;

StatusOr<std::vector<TailFn>> boo::parseTail(std::string_view text,
                                             std::string_view channel,
                                             std::string_view flag) {
  const std::string is = std::string(flag) + ": ";
  std::vector<TailFn> tail;
  std::string_view rest = text;
  if (rest.size() > 1000)
    return invalidArgument(std::string(flag) +
                           " is longer than 1000 characters");
  while (!rest.empty()) {
    std::string_view item = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(item.size() + 1, rest.size()));
    std::string name(item.substr(0, item.find(':')));
    auto fn = parsePointwiseFn(name);
    if (!fn.isOk()) {
      static constexpr std::string_view names[] = {
#define BOO_POINTWISE(name, spelling, operands, parameters) spelling,
#include "boo/graph/PointwiseFns.inc"
      };
      return invalidArgument(is + fn.status().message() +
                             didYouMean(name, names));
    }
    TailFn next{*fn, {}, false};
    std::vector<std::string> names = pointwiseFnParameters(*fn);
    std::string form = name;
    for (const std::string &parameter : names)
      form += ":" + parameter;
    if (pointwiseFnOperands(*fn) > 2)
      return invalidArgument(is + name + " has too many operands");

    std::string_view values =
        item.substr(std::min(name.size() + 1, item.size()));
    if (values == channel && pointwiseFnOperands(*fn) == 2) {
      next.perChannel = true;
      values = {};
    }
    while (!values.empty()) {
      std::string_view value = values.substr(0, values.find(':'));
      values.remove_prefix(std::min(value.size() + 1, values.size()));
      double number;
      if (!parseReal(value, &number) || std::isnan(number))
        return invalidArgument(is + "'" + std::string(value) +
                               "' is no number; write " + form);
      next.parameters.push_back(number);
    }
    if (next.parameters.size() != names.size())
      return invalidArgument(is + name + " takes " +
                             std::to_string(names.size()) +
                             " parameters; write " + form);
    tail.push_back(std::move(next));
  }
  return tail;
}

ValueId boo::addTail(Graph &graph, ValueId last,
                     const std::vector<TailFn> &tail,
                     const TensorType &channelType, Role channelRole) {
  TensorType type = graph.value(last).type;
  for (const TailFn &next : tail) {
    std::vector<ValueId> operands{last};
    if (pointwiseFnOperands(next.fn) == 2)
      operands.push_back(next.perChannel
                             ? graph.addArgument(channelType, channelRole)
                             : graph.addArgument(type));
    last =
        graph.addPointwise(next.fn, std::move(operands), type, next.parameters);
  }
  return last;
}
