//===- GraphTextFuzz.cpp - Any bytes as a Graph text ----------------------===//
//
// A text that parses is a verified Graph, prints to one that parses to the same
// print, and stands canonicalising, cutting and planning.
//
//===----------------------------------------------------------------------===//

#include "boo/graph/partition/Partition.h"

#include <cstdio>
#include <cstdlib>

static void require(bool holds, const char *what) {
  if (holds)
    return;
  std::fprintf(stderr, "GraphTextFuzz: %s\n", what);
  std::abort();
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  std::string_view text(reinterpret_cast<const char *>(data), size);
  boo::StatusOr<boo::Graph> graph = boo::parseGraph(text);
  if (!graph.isOk())
    return 0;
  require(graph->verify().isOk(), "a parsed Graph does not verify");
  std::string printed = boo::printGraph(*graph);
  boo::StatusOr<boo::Graph> again = boo::parseGraph(printed);
  require(again.isOk(), "a printed Graph does not parse");
  require(boo::printGraph(*again) == printed, "a Graph prints in two ways");

  boo::Graph canonical = boo::canonicalize(*graph);
  require(canonical.verify().isOk(), "a canonical Graph does not verify");
  require(boo::printGraph(boo::canonicalize(canonical)) ==
              boo::printGraph(canonical),
          "canonicalize() is not idempotent");
  boo::StatusOr<boo::Plan> plan = boo::makePlan(*graph);
  if (plan.isOk())
    for (const boo::Group &group : plan->groups)
      require(group.graph.verify().isOk(), "a group does not verify");
  return 0;
}
