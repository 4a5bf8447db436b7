//===- Csv.h - Tables as RFC 4180 writes them -------------------*- C++ -*-===//
#pragma once

#include "boo/base/Status.h"

#include <span>
#include <vector>

namespace boo {

/// A line with its newline; a cell with a separator, a quote or a line break is
/// quoted.
std::string csvLine(std::span<const std::string> cells);

struct CsvRow {
  size_t line = 0; ///< on which it begins, from 1
  std::vector<std::string> cells;
};

/// All rows, empty lines left out; lines may end in \r\n. The error tells the
/// line of a quote that is never closed or that stands inside a cell.
StatusOr<std::vector<CsvRow>> parseCsv(std::string_view text);

} // namespace boo
