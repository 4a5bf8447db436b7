//===- Csv.cpp - Tables as RFC 4180 writes them ---------------------------===//

#include "boo/driver/records/Csv.h"

#include <algorithm>

using namespace boo;

/// Some programs begin a file with it; readers pass it over.
static constexpr std::string_view byteOrderMark = "\xef\xbb\xbf";

std::string boo::csvLine(std::span<const std::string> cells) {
  std::string line;
  for (size_t i = 0; i != cells.size(); ++i) {
    line += i ? "," : "";
    // A lone empty cell would be an empty line, which is no row.
    bool empty = cells.size() == 1 && cells[i].empty();
    bool isMark = cells[i].starts_with(byteOrderMark);
    if (!empty && !isMark &&
        cells[i].find_first_of(",\"\r\n") == std::string::npos) {
      line += cells[i];
      continue;
    }
    line += '"';
    for (char c : cells[i])
      line += c == '"' ? "\"\"" : std::string(1, c);
    line += '"';
  }
  return line + '\n';
}

static Status wrong(size_t line, const char *what) {
  return invalidArgument("line " + std::to_string(line) + ": " + what);
}

StatusOr<std::vector<CsvRow>> boo::parseCsv(std::string_view text) {
  std::vector<CsvRow> rows;
  size_t line = 1, at = 0;
  if (text.starts_with(byteOrderMark))
    at = byteOrderMark.size();
  while (at < text.size()) {
    if (text[at] == '\n' || text.substr(at, 2) == "\r\n") {
      at += text[at] == '\n' ? 1 : 2;
      ++line;
      continue;
    }
    CsvRow row;
    row.line = line;
    for (bool more = true; more;) {
      std::string cell;
      if (at < text.size() && text[at] == '"') {
        size_t opened = line;
        for (++at;; ++at) {
          if (at == text.size())
            return wrong(opened, "a quotation mark is never closed");
          if (text[at] == '"' && (++at == text.size() || text[at] != '"'))
            break;
          line += text[at] == '\n';
          cell += text[at];
        }
      } else {
        size_t end = std::min(text.find_first_of(",\"\n", at), text.size());
        cell = text.substr(at, end - at);
        at = end;
        if (cell.ends_with('\r') && (at == text.size() || text[at] == '\n')) {
          cell.pop_back();
          --at;
        }
      }
      row.cells.push_back(std::move(cell));
      more = at < text.size() && text[at] == ',';
      at += more;
    }
    if (text.substr(at, 1) == "\r")
      ++at;
    if (at < text.size() && text[at] != '\n')
      return wrong(line, "a quotation mark inside a cell: quote the whole "
                         "cell, and write it twice");
    ++at;
    ++line;
    rows.push_back(std::move(row));
  }
  return rows;
}
