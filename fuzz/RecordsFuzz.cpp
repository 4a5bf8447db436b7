//===- RecordsFuzz.cpp - Any bytes as what a run left behind --------------===//
//
// Heads of .npy files, tables of --csv and files of --state: none is trusted,
// and what was accepted comes back when it is printed.
//
//===----------------------------------------------------------------------===//

#include "boo/driver/records/Csv.h"
#include "boo/driver/records/Npy.h"
#include "boo/driver/records/StateText.h"
#include "boo/driver/records/Timings.h"

#include <cstdio>
#include <cstdlib>

using namespace boo;

static void require(bool holds, const char *what) {
  if (holds)
    return;
  std::fprintf(stderr, "RecordsFuzz: %s\n", what);
  std::abort();
}

static void tryNpy(std::string_view bytes) {
  auto head = parseNpyHead(bytes);
  if (!head.isOk())
    return;
  require(head->dataOffset <= bytes.size(), "the elements begin nowhere");
  require(head->numElements() >= 0, "a shape overflows");
  std::string text = printNpyHead(*head);
  auto again = parseNpyHead(text);
  require(again.isOk() && again->shape == head->shape &&
              again->descr == head->descr &&
              again->fortranOrder == head->fortranOrder &&
              again->dataOffset == text.size(),
          "a head does not come back");
}

static void tryCsv(std::string_view text) {
  auto rows = parseCsv(text);
  (void)parseTimings(text);
  if (!rows.isOk())
    return;
  std::string printed;
  for (const CsvRow &row : *rows)
    printed += csvLine(row.cells);
  auto again = parseCsv(printed);
  require(again.isOk() && again->size() == rows->size(), "rows are lost");
  for (size_t i = 0; i != rows->size(); ++i)
    require((*again)[i].cells == (*rows)[i].cells, "cells do not come back");
}

static void tryState(std::string_view text) {
  auto state = parseState(text);
  if (!state.isOk())
    return;
  require(state->soundBytes <= text.size(), "more is sound than there is");
  std::string printed = printStateHead(state->head);
  for (const StateEntry &entry : state->entries)
    printed += printStateEntry(entry);
  auto again = parseState(printed);
  require(again.isOk() && again->entries.size() == state->entries.size() &&
              again->soundBytes == printed.size(),
          "a state does not come back");
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  std::string_view text(reinterpret_cast<const char *>(data), size);
  tryNpy(text);
  tryCsv(text);
  tryState(text);
  return 0;
}
