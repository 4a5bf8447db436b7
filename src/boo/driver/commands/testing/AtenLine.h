//===- AtenLine.h - Recorded calls, made for tests --------------*- C++ -*-===//
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace boo::testing {

/// An argument of a call: a tensor, or a value as Python prints it; "" for
/// None.
struct AtenArg {
  std::string dims = "[]", type, strides = "[]", value;

  AtenArg(const char *value) : type(*value ? "Scalar" : ""), value(value) {}
  /// Row-major, or with the sizes lying in memory in `order`, outermost first.
  AtenArg(const std::vector<int64_t> &sizes, std::string type = "float",
          std::vector<size_t> order = {})
      : dims(list(sizes)), type(std::move(type)) {
    for (size_t i = order.size(); i < sizes.size(); ++i)
      order.push_back(i);
    std::vector<int64_t> steps(sizes.size());
    int64_t next = 1;
    for (size_t i = sizes.size(); i-- != 0;) {
      steps[order[i]] = next;
      next *= sizes[order[i]];
    }
    strides = list(steps);
  }

  static std::string list(const std::vector<int64_t> &values) {
    std::string text;
    for (int64_t value : values)
      text += (text.empty() ? "" : ", ") + std::to_string(value);
    return "[" + text + "]";
  }
};

/// A batch of images, channels last.
inline AtenArg channelsLastArg(const std::vector<int64_t> &sizes,
                               std::string type = "float") {
  return AtenArg(sizes, std::move(type), {0, 2, 3, 1});
}

/// `aten::NAME` and its four lists.
inline std::string atenLine(const std::string &name,
                            const std::vector<AtenArg> &arguments) {
  std::string lists[4];
  for (const AtenArg &each : arguments) {
    const std::string fields[4] = {each.dims, "'" + each.type + "'",
                                   each.strides, "'" + each.value + "'"};
    for (size_t i = 0; i != 4; ++i)
      lists[i] += (lists[i].empty() ? "" : ", ") + fields[i];
  }
  std::string line = "aten::" + name;
  for (const std::string &each : lists)
    line += " \"[" + each + "]\"";
  return line;
}

} // namespace boo::testing
