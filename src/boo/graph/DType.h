//===- DType.h - Element types ----------------------------------*- C++ -*-===//
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace boo {

enum class DType : uint8_t { F64, F32, F16, BF16, I64, I32, I8, I1 };

/// "f64", "f32", "f16", "bf16", "i64", …: the spelling of Graph texts.
std::string_view dtypeName(DType dtype);
std::optional<DType> parseDType(std::string_view name);
/// Size of one element in memory; an i1 takes a byte.
int64_t dtypeBytes(DType dtype);
bool isFloat(DType dtype);
/// Distance from 1 to the next number: 2^-52, 2^-23, 2^-10, 2^-7. Floats only.
double dtypeEpsilon(DType dtype);

} // namespace boo
