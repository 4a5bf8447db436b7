//===- Report.h - Results for people and for programs -----------*- C++ -*-===//
#pragma once

#include "boo/driver/records/RunResult.h"

#include <cstdio>

namespace boo {

/// What `boo driver` prints of a run behind the command itself: the `>>>`
/// lines. With `more`, further figures.
std::string humanReport(const RunResult &result, bool more);

/// `>>> ` lines of --explain: algorithm, schedule, and why.
std::string explainReport(const RunResult &result);

/// `>>> ` lines of --profile, one a dispatch.
std::string profileReport(const RunResult &result);

/// "tensor([...], device='cpu', size=(128, 24, 48, 384), dtype=torch.float32)"
std::string tensorText(const std::vector<int64_t> &sizes, DType dtype);

/// One JSON object without a newline; absent, NaN and infinite figures are
/// null.
std::string jsonReport(const RunResult &result);

/// A table of results, one line a command, with columns for each backend. Each
/// line is flushed, so that the file is sound after Ctrl-C.
class CsvReport {
public:
  CsvReport() = default;
  CsvReport(const CsvReport &) = delete;
  CsvReport &operator=(const CsvReport &) = delete;
  ~CsvReport();

  Status open(const std::string &path, std::vector<std::string> backends);
  bool isOpen() const { return File; }
  /// One result a backend, in the order of open().
  Status add(const std::vector<RunResult> &results);

private:
  Status writeLine(const std::vector<std::string> &cells);

  std::FILE *File = nullptr;
  std::string Path;
};

} // namespace boo
