//===- SizeList.h - Lists of numbers in flags -------------------*- C++ -*-===//
#pragma once

#include "boo/driver/commands/Flags.h"
#include "boo/graph/Graph.h"

namespace boo {

/// "10x32x42" or "10,32,42", the value of `flag`, as the sizes of a tensor:
/// at most 16, none 0, whose bytes can be counted.
StatusOr<std::vector<int64_t>> parseSizes(const Flag &flag,
                                          const std::string &text, DType dtype);

/// The integers of the flags at these places in a table as sizes of a tensor.
StatusOr<std::vector<int64_t>> readImageSizes(const FlagValues &values,
                                              const std::vector<size_t> &flags,
                                              DType dtype);

/// "0,2" as dimensions of a tensor of `rank`: in rising order, none twice, at
/// least one.
StatusOr<std::vector<int64_t>> parseDims(const Flag &flag,
                                         const std::string &text, size_t rank);

/// `type` with `dims`, which rise, behind the others: the same memory.
TensorType withDimsLast(const TensorType &type,
                        const std::vector<int64_t> &dims);

/// "10x32x42", for names.
std::string joinSizes(const std::vector<int64_t> &sizes,
                      const char *between = "x");

} // namespace boo
