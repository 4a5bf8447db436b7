//===- ResultText.h - A RunResult as a line of text -------------*- C++ -*-===//
//
// The form in which workers hand results to the program that started them, and
// in which --state keeps them. Nothing is lost but bytes that are no UTF-8.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "boo/driver/records/RunResult.h"

#include <nlohmann/json_fwd.hpp>

namespace boo {

/// One JSON object; figures that JSON lacks are the texts "nan", "inf", "-inf".
nlohmann::ordered_json resultJson(const RunResult &result);

/// What resultJson() gave. The error names the field at fault; one that is
/// missing is such.
StatusOr<RunResult> resultOfJson(const nlohmann::ordered_json &json);

/// `json` on one line; bytes that are no UTF-8 become U+FFFD.
std::string jsonLine(const nlohmann::ordered_json &json);
/// The object that `text` holds, or an error.
StatusOr<nlohmann::ordered_json> parseJsonLine(std::string_view text);

} // namespace boo
