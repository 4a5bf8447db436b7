//===- GraphPrint.cpp - The text form of a Graph, written -----------------===//
//
// Graph.h describes the form. Attributes keep their kind: a double always shows
// a point, an exponent, inf or nan, in the fewest digits that read back equal.
//
//===----------------------------------------------------------------------===//

#include "boo/graph/Graph.h"

#include <charconv>
#include <cmath>

using namespace boo;

static std::string doubleText(double value) {
  // A NaN's sign and payload mean nothing.
  if (std::isnan(value))
    return "nan";
  char buffer[32];
  auto [end, error] = std::to_chars(buffer, buffer + sizeof(buffer), value);
  std::string text(buffer, end);
  if (std::isfinite(value) && text.find_first_of(".e") == std::string::npos)
    text += ".0";
  return text;
}

static std::string stringText(std::string_view value) {
  static constexpr char Digits[] = "0123456789abcdef";
  std::string text = "\"";
  for (char c : value) {
    unsigned char byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\')
      text += {'\\', c};
    else if (c == '\n')
      text += "\\n";
    else if (byte < 0x20 || byte == 0x7f)
      text += {'\\', 'x', Digits[byte >> 4], Digits[byte & 15]};
    else
      text += c;
  }
  return text + "\"";
}

static std::string listText(const std::vector<int64_t> &values) {
  std::string text = "[";
  for (size_t i = 0; i != values.size(); ++i)
    text += (i ? ", " : "") + std::to_string(values[i]);
  return text + "]";
}

static std::string attributeText(const Attribute &attribute) {
  struct Visitor {
    std::string operator()(int64_t value) { return std::to_string(value); }
    std::string operator()(double value) { return doubleText(value); }
    std::string operator()(bool value) { return value ? "true" : "false"; }
    std::string operator()(const std::string &value) {
      return stringText(value);
    }
    std::string operator()(const std::vector<int64_t> &value) {
      return listText(value);
    }
    std::string operator()(DType value) {
      return std::string(dtypeName(value));
    }
  };
  return std::visit(Visitor(), attribute);
}

std::string boo::printType(const TensorType &type) {
  std::string text(dtypeName(type.dtype));
  text += "[";
  for (size_t i = 0; i != type.rank(); ++i) {
    Dim dim = type.sizes[i];
    text += i ? "," : "";
    text += dim.isSymbol() ? "s" + std::to_string(dim.symbolId())
                           : std::to_string(dim.size());
  }
  text += "]{";
  for (size_t i = 0; i != type.strides.size(); ++i)
    text += (i ? "," : "") + std::to_string(type.strides[i]);
  return text + "}";
}

static const char *roleText(Role role) {
  switch (role) {
  case Role::Input:
    return "input";
  case Role::Constant:
    return "constant";
  case Role::InOut:
    return "inout";
  case Role::Result:
    break;
  }
  return "result";
}

std::string boo::printGraph(const Graph &graph) {
  // Values are named in the order in which the text defines them.
  std::vector<int64_t> names(graph.values().size(), -1);
  int64_t next = 0;
  auto define = [&](ValueId id) {
    names[size_t(id)] = next++;
    return "%" + std::to_string(names[size_t(id)]);
  };
  auto use = [&](ValueId id) {
    return id == kNoValue ? "_" : "%" + std::to_string(names[size_t(id)]);
  };
  std::string text = "boo.graph 1\n";
  for (ValueId id : graph.arguments()) {
    const Value &value = graph.value(id);
    text += define(id) + " = " + roleText(value.role) + " " +
            printType(value.type) + "\n";
  }
  for (const Node &node : graph.nodes()) {
    std::string operands, attributes, types;
    for (ValueId id : node.operands)
      operands += (operands.empty() ? "" : ", ") + use(id);
    for (const auto &[name, attribute] : node.attributes)
      attributes += (attributes.empty() ? "" : ", ") + name + " = " +
                    attributeText(attribute);
    for (size_t i = 0; i != node.results.size(); ++i) {
      text += (i ? ", " : "") + define(node.results[i]);
      types += (i ? ", " : "") + printType(graph.value(node.results[i]).type);
    }
    text += " = " + std::string(opName(node.op)) + "(" + operands + ")";
    if (!attributes.empty())
      text += " {" + attributes + "}";
    text += " : " + types + "\n";
  }
  text += "return";
  for (size_t i = 0; i != graph.outputs().size(); ++i) {
    const Output &output = graph.outputs()[i];
    text += (i ? ", " : " ") + use(output.value);
    if (output.into != kNoValue)
      text += " into " + use(output.into);
  }
  return text + "\n";
}
