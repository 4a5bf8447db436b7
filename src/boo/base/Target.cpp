//===- Target.cpp ---------------------------------------------------------===//

#include "boo/base/Target.h"

#include <algorithm>
#include <charconv>
#include <iterator>

using namespace boo;

static constexpr std::string_view kIsaNames[] = {"generic", "avx2", "avx512",
                                                 "amx"};

std::string_view boo::isaName(Isa isa) { return kIsaNames[int(isa)]; }

StatusOr<Isa> boo::parseIsa(std::string_view name) {
  for (int i = 0; i < int(std::size(kIsaNames)); ++i)
    if (name == kIsaNames[i])
      return Isa(i);
  return invalidArgument("unknown instruction set '" + std::string(name) +
                         "': expected generic, avx2, avx512 or amx");
}

std::string boo::printTarget(const Target &target) {
  std::string text = "isa=" + std::string(isaName(target.isa));
  text += " fp16=" + std::to_string(int(target.avx512Fp16));
  text += " bf16dot=" + std::to_string(int(target.fastBf16Dot));
  text += " l1=" + std::to_string(target.l1Bytes);
  text += " l2=" + std::to_string(target.l2Bytes);
  text += " l3=" + std::to_string(target.l3Bytes);
  text += " cores=" + std::to_string(target.cores);
  return text;
}

static Status parseNumber(std::string_view name, std::string_view text,
                          int64_t max, int64_t *value) {
  auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), *value);
  if (error != std::errc() || end != text.data() + text.size() || *value < 0 ||
      *value > max)
    return invalidArgument("target: bad value '" + std::string(text) +
                           "' of '" + std::string(name) + "'");
  return Status::ok();
}

StatusOr<Target> boo::parseTarget(std::string_view text) {
  Target target;
  static constexpr std::string_view names[] = {"isa", "fp16", "bf16dot", "l1",
                                               "l2",  "l3",   "cores"};
  for (std::string_view name : names) {
    size_t end = std::min(text.find(' '), text.size());
    std::string_view field = text.substr(0, end);
    if (name == "bf16dot" && !field.starts_with(name))
      continue;
    text.remove_prefix(std::min(end + 1, text.size()));
    if (field.size() <= name.size() || field.substr(0, name.size()) != name ||
        field[name.size()] != '=')
      return invalidArgument("target: expected '" + std::string(name) +
                             "=…', found '" + std::string(field) + "'");
    std::string_view value = field.substr(name.size() + 1);
    if (name == "isa") {
      BOO_ASSIGN_OR_RETURN(target.isa, parseIsa(value));
      continue;
    }
    int64_t number = 0;
    int64_t max = name == "fp16" || name == "bf16dot" ? 1 : int64_t(1) << 48;
    BOO_RETURN_IF_ERROR(parseNumber(name, value, max, &number));
    if (name == "fp16")
      target.avx512Fp16 = number != 0;
    else if (name == "bf16dot")
      target.fastBf16Dot = number != 0;
    else if (name == "l1")
      target.l1Bytes = number;
    else if (name == "l2")
      target.l2Bytes = number;
    else if (name == "l3")
      target.l3Bytes = number;
    else
      target.cores = number;
  }
  if (!text.empty())
    return invalidArgument("target: unexpected '" + std::string(text) + "'");
  return target;
}
