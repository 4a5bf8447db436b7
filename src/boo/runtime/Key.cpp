//===- Key.cpp ------------------------------------------------------------===//

#include "boo/runtime/Key.h"
#include "boo/abi/KernelAbi.h"
#include "boo/base/Hash.h"

#include <algorithm>

using namespace boo;

std::string boo::computeKey(const KeyInputs &inputs) {
  Hasher hasher;
  // Lengths keep neighbours apart: "ab" + "c" is not "a" + "bc".
  auto add = [&](std::string_view field) {
    hasher.update(std::to_string(field.size()) + ":");
    hasher.update(field);
  };
  add("boo key 2");
  add(std::to_string(BOO_KERNEL_ABI_VERSION));
  add(inputs.graph);
  add(printTarget(inputs.target));
  add(inputs.math);
  add(inputs.constantsPacked ? "packed" : "plain");
  add(inputs.tuningEntry);
  add(inputs.transforms);
  add(inputs.builds);
  return hasher.hex();
}

bool boo::isKey(std::string_view text) {
  return text.size() == 32 &&
         text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

static bool isSafe(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '+' || c == '.';
}

std::string boo::safeName(std::string_view name) {
  constexpr size_t maxBytes = 200, hashDigits = 16;
  bool safe = !name.empty() && name.size() <= maxBytes && name != "locks" &&
              name.front() != '.' && name.front() != '-' &&
              std::all_of(name.begin(), name.end(), isSafe);
  if (safe)
    return std::string(name);
  std::string result(name.substr(0, maxBytes - hashDigits - 2));
  for (char &c : result)
    if (!isSafe(c))
      c = '_';
  if (result.empty() || result.front() == '.' || result.front() == '-')
    result.insert(result.begin(), '_');
  return result + "_" + hashHex(name).substr(0, hashDigits);
}

std::string boo::deriveName(const Graph &graph) {
  std::string name;
  for (const Node &node : graph.nodes()) {
    std::string part(opName(node.op));
    if (node.op == Op::Pointwise)
      if (auto fn = node.attributes.find("fn"); fn != node.attributes.end())
        if (const auto *text = std::get_if<std::string>(&fn->second))
          part = *text;
    if (name.size() < 80)
      name += part + "_";
  }
  if (!graph.outputs().empty()) {
    const TensorType &type = graph.value(graph.outputs()[0].value).type;
    name += std::string(dtypeName(type.dtype)) + "_";
    for (size_t i = 0; i < type.rank(); ++i) {
      const Dim &dim = type.sizes[i];
      name += (i ? "x" : "") + (dim.isSymbol()
                                    ? "s" + std::to_string(dim.symbolId())
                                    : std::to_string(dim.size()));
    }
    name += "_";
  }
  return safeName(name + hashHex(printGraph(graph)).substr(0, 8));
}
