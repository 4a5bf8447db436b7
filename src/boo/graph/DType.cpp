//===- DType.cpp - Element types ------------------------------------------===//

#include "boo/graph/DType.h"

#include <cstddef>

using namespace boo;

namespace {
struct DTypeInfo {
  std::string_view name;
  int64_t bytes;
  double epsilon; ///< 0 when it is no float
};
} // namespace

/// In the order of the enumerators.
static constexpr DTypeInfo Infos[] = {
    {"f64", 8, 0x1p-52}, {"f32", 4, 0x1p-23}, {"f16", 2, 0x1p-10},
    {"bf16", 2, 0x1p-7}, {"i64", 8, 0},       {"i32", 4, 0},
    {"i8", 1, 0},        {"i1", 1, 0},
};

static const DTypeInfo &info(DType dtype) { return Infos[size_t(dtype)]; }

std::string_view boo::dtypeName(DType dtype) { return info(dtype).name; }

std::optional<DType> boo::parseDType(std::string_view name) {
  for (size_t i = 0; i != std::size(Infos); ++i)
    if (Infos[i].name == name)
      return DType(i);
  return std::nullopt;
}

int64_t boo::dtypeBytes(DType dtype) { return info(dtype).bytes; }

bool boo::isFloat(DType dtype) { return info(dtype).epsilon != 0; }

double boo::dtypeEpsilon(DType dtype) { return info(dtype).epsilon; }
