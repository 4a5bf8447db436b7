//===- SeparableNest.cpp - Depthwise, then 1x1, as two nests --------------===//

#include "boo/compiler/strategy/SeparableNest.h"
#include "boo/compiler/strategy/MergePixels.h"

#include <algorithm>

using namespace boo;
using namespace boo::compiler;

/// The node of the 1x1 convolution, 0 if there is none.
static size_t secondConv(const Graph &group) {
  const std::vector<Node> &nodes = group.nodes();
  for (size_t i = 1; i < nodes.size(); ++i)
    if (nodes[i].op == Op::Conv)
      return i;
  return 0;
}

bool boo::compiler::isSeparable(const Graph &group) {
  return !group.nodes().empty() && group.nodes().front().op == Op::Conv &&
         secondConv(group) != 0;
}

static int64_t rowsOf(const ConvProblem &p) { return p.out[0] * p.out[1]; }

/// The 1x1 convolution, all rows of an image as one where memory allows it.
static ConvNest pointwiseNest(const Graph &group) {
  ValueId result = group.outputs().front().value;
  ConvNest nest =
      nestOfConv(group, secondConv(group), result, group.value(result).type);
  ConvProblem &p = nest.problem;
  // Rows in scratch have no gaps.
  int64_t width = p.out[2] * p.inChannels, height = p.out[1] * width;
  p.inStrides = {0, p.out[0] * height, 1, {height, width, p.inChannels}, {0}};
  ConvNest merged = nest;
  mergeRows(merged.problem, outputStrides(merged));
  return rowsOf(merged.problem) == 1 ? merged : nest;
}

std::vector<int64_t> boo::compiler::joinedRows(const Graph &group) {
  std::vector<int64_t> all{1};
  const Node &second = group.nodes()[secondConv(group)];
  const TensorType &type = group.value(second.operands[0]).type;
  if (rowsOf(pointwiseNest(group).problem) != 1)
    return all;
  int64_t rows = 1;
  for (size_t dim = 2; dim + 1 < type.rank(); ++dim)
    rows *= type.sizes[dim].size();
  constexpr int64_t most = 4096; // rows that a grid tile has use for
  for (int64_t each = 2; each <= std::min(rows, most); ++each)
    if (rows % each == 0)
      all.push_back(each);
  return all;
}

SeparableNests boo::compiler::makeSeparableNests(const Graph &group,
                                                 int64_t rows) {
  SeparableNests nests;
  nests.rows = rows;
  const Node &second = group.nodes()[secondConv(group)];
  ValueId middle = second.operands[0];
  nests.pointwise = pointwiseNest(group);
  nests.depthwise = nestOfConv(group, 0, middle, group.value(middle).type);
  chooseDepthwise(nests.depthwise);
  nests.depthwise.words.pack = "pack_depthwise";
  nests.pointwise.words.main = "separable";

  // Of one long row, rows as long as a grid tile computes.
  ConvProblem &p = nests.pointwise.problem;
  const ConvProblem &first = nests.depthwise.problem;
  if (rowsOf(p) == 1 && rows != rowsOf(first)) {
    int64_t pixels = rows * first.out[2];
    p.in[1] = p.out[1] = p.out[2] / pixels;
    p.in[2] = p.out[2] = pixels;
    p.inStrides.spatial[1] = pixels * p.inStrides.spatial[2];
    for (ConvProblem::Strides *s : outputStrides(nests.pointwise))
      s->spatial[1] = pixels * s->spatial[2];
  }
  return nests;
}

Schedule boo::compiler::depthwiseSchedule(const Schedule &schedule) {
  Schedule own;
  own.algorithm = Algorithm::Depthwise;
  own.vectorBits = schedule.vectorBits;
  own.fma = schedule.fma;
  own.serial = schedule.serial;
  own.mTile = schedule.dwMTile;
  own.nVectors = schedule.dwNVectors;
  own.kUnroll = schedule.dwKUnroll;
  own.nChunk = schedule.dwNChunk;
  own.wChunk = schedule.dwWChunk;
  own.scratchInput = schedule.dwScratchInput;
  own.prefetchInput = schedule.dwPrefetchInput;
  return own;
}

void boo::compiler::setDepthwiseSchedule(Schedule &schedule,
                                         const Schedule &own) {
  schedule.dwMTile = own.mTile;
  schedule.dwNVectors = own.nVectors;
  schedule.dwKUnroll = own.kUnroll;
  schedule.dwNChunk = own.nChunk;
  schedule.dwWChunk = own.wChunk;
  schedule.dwScratchInput = own.scratchInput;
  schedule.dwPrefetchInput = own.prefetchInput;
}
