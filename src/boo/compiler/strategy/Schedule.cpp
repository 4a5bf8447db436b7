//===- Schedule.cpp - Text form of a Schedule -----------------------------===//

#include "boo/compiler/strategy/Schedule.h"

#include <charconv>
#include <set>

using namespace boo;
using namespace boo::compiler;

static constexpr std::string_view algorithmNames[] = {
    "direct",       "depthwise",    "pointwise", "module",
    "winograd-4x4", "winograd-2x2", "rows",      "attention",
    "pool",         "separable",    "pad"};

std::string_view boo::compiler::algorithmName(Algorithm algorithm) {
  return algorithmNames[size_t(algorithm)];
}
bool boo::compiler::isWinograd(Algorithm algorithm) {
  return algorithm == Algorithm::Winograd4x4 ||
         algorithm == Algorithm::Winograd2x2;
}

namespace {
/// One integer field: its name, where it lives, and what it may hold.
struct Field {
  std::string_view name;
  int64_t Schedule::*number;
  bool Schedule::*flag;
  int64_t min, max;
  bool separable = false; ///< of that algorithm alone
};
constexpr Field fields[] = {
    {"vector_bits", &Schedule::vectorBits, nullptr, 64, 4096},
    {"fma", nullptr, &Schedule::fma, 0, 1},
    {"amx", nullptr, &Schedule::amx, 0, 1},
    {"pairs", nullptr, &Schedule::pairs, 0, 1},
    {"m_tile", &Schedule::mTile, nullptr, 1, 64},
    {"n_vectors", &Schedule::nVectors, nullptr, 1, 64},
    {"k_unroll", &Schedule::kUnroll, nullptr, 1, 16},
    {"k_chunk", &Schedule::kChunk, nullptr, 0, int64_t(1) << 40},
    {"n_chunk", &Schedule::nChunk, nullptr, 1, int64_t(1) << 40},
    {"w_chunk", &Schedule::wChunk, nullptr, 1, int64_t(1) << 40},
    {"h_chunk", &Schedule::hChunk, nullptr, 1, int64_t(1) << 40},
    {"scratch_input", nullptr, &Schedule::scratchInput, 0, 1},
    {"filter_outer", nullptr, &Schedule::filterOuter, 0, 1},
    {"filter_in_place", nullptr, &Schedule::filterInPlace, 0, 1},
    {"dot", nullptr, &Schedule::dot, 0, 1},
    {"serial", nullptr, &Schedule::serial, 0, 1},
    {"lanes_over_input", nullptr, &Schedule::lanesOverInput, 0, 1},
    {"k_parts", &Schedule::kParts, nullptr, 1, int64_t(1) << 40},
    {"prefetch", &Schedule::prefetch, nullptr, 0, 1 << 16},
    {"prefetch_input", nullptr, &Schedule::prefetchInput, 0, 1},
    {"pack_inside", nullptr, &Schedule::packInside, 0, 1},
    {"stream", nullptr, &Schedule::stream, 0, 1},
    {"rows", &Schedule::rows, nullptr, 1, int64_t(1) << 40, true},
    {"dw_m_tile", &Schedule::dwMTile, nullptr, 1, 64, true},
    {"dw_n_vectors", &Schedule::dwNVectors, nullptr, 1, 64, true},
    {"dw_k_unroll", &Schedule::dwKUnroll, nullptr, 1, 16, true},
    {"dw_n_chunk", &Schedule::dwNChunk, nullptr, 1, int64_t(1) << 40, true},
    {"dw_w_chunk", &Schedule::dwWChunk, nullptr, 1, int64_t(1) << 40, true},
    {"dw_scratch_input", nullptr, &Schedule::dwScratchInput, 0, 1, true},
    {"dw_prefetch_input", nullptr, &Schedule::dwPrefetchInput, 0, 1, true},
};
} // namespace

std::string boo::compiler::printSchedule(const Schedule &schedule) {
  std::string text =
      "algorithm=" + std::string(algorithmName(schedule.algorithm));
  for (const Field &field : fields) {
    if (field.separable && schedule.algorithm != Algorithm::Separable)
      continue;
    int64_t value =
        field.number ? schedule.*field.number : int64_t(schedule.*field.flag);
    text += " " + std::string(field.name) + "=" + std::to_string(value);
  }
  return text;
}

static Status setField(Schedule &schedule, std::string_view name,
                       std::string_view value) {
  if (name == "algorithm") {
    for (size_t i = 0; i != std::size(algorithmNames); ++i)
      if (algorithmNames[i] == value) {
        schedule.algorithm = Algorithm(i);
        return Status::ok();
      }
    return invalidArgument("schedule: unknown algorithm '" +
                           std::string(value) + "'");
  }
  for (const Field &field : fields) {
    if (field.name != name)
      continue;
    int64_t number = 0;
    auto [end, error] =
        std::from_chars(value.data(), value.data() + value.size(), number);
    if (error != std::errc() || end != value.data() + value.size() ||
        number < field.min || number > field.max)
      return invalidArgument(
          "schedule: " + std::string(name) + " must be a number from " +
          std::to_string(field.min) + " to " + std::to_string(field.max) +
          ", not '" + std::string(value) + "'");
    if (field.number)
      schedule.*field.number = number;
    else
      schedule.*field.flag = number != 0;
    return Status::ok();
  }
  return invalidArgument("schedule: unknown field '" + std::string(name) + "'");
}

StatusOr<Schedule> boo::compiler::parseSchedule(std::string_view text,
                                                Schedule defaults) {
  std::set<std::string_view> seen;
  while (!text.empty()) {
    size_t end = std::min(text.find(' '), text.size());
    std::string_view word = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (word.empty())
      continue;
    size_t equals = word.find('=');
    if (equals == std::string_view::npos)
      return invalidArgument("schedule: '" + std::string(word) +
                             "' is not of the form name=value");
    std::string_view name = word.substr(0, equals);
    if (!seen.insert(name).second)
      return invalidArgument("schedule: '" + std::string(name) +
                             "' stands twice");
    BOO_RETURN_IF_ERROR(setField(defaults, name, word.substr(equals + 1)));
  }
  return defaults;
}
