//===- WeightGradWindows.cpp - Taps of a row as channels ------------------===//
//
// A few channels fill neither the rows nor the lanes of a register tile. The
// rows of the input that a piece of the sum meets are copied with the zeros of
// the padding, their columns side by side: then the taps of a row and their
// channels are one run, the window, which moves on by a stride's columns with
// each pixel. One copy serves all taps of depth and height.
//
//===----------------------------------------------------------------------===//

#include "boo/compiler/dialect/PrefixAccess.h"
#include "boo/compiler/kernels/WeightGradEmitter.h"

#include "mlir/Dialect/Vector/IR/VectorOps.h"

#include <algorithm>

using namespace mlir;

namespace boo::compiler {

void WeightGradEmitter::forTaps(const Place &at,
                                const std::function<void(Place)> &body) {
  if (!Nest.mergesTaps)
    return body(at);
  K.loop(K.index(0), K.index(P.filter[0]), 1, [&](Value depth) {
    K.loop(K.index(0), K.index(P.filter[1]), 1, [&](Value height) {
      Place tap = at;
      tap.tap = {depth, height, K.index(0)};
      body(tap);
    });
  });
}

int64_t WeightGradEmitter::windowStep(size_t i) const {
  std::array<int64_t, 4> places = Nest.window(Cut.extent);
  int64_t step = P.inPerGroup();
  for (size_t inner = i + 1; inner != 4; ++inner)
    step *= places[inner];
  return step;
}

int64_t WeightGradEmitter::windowElements() const {
  // Whole vectors are stored and, of lanes, read: the last ones reach further.
  return Nest.window(Cut.extent)[0] * windowStep(0) + BlockChannels + Lanes;
}

void WeightGradEmitter::fillWindows(const Place &at) {
  const Side &side = Nest.input;
  std::array<int64_t, 4> places = Nest.window(Cut.extent);
  // Where the piece begins in each dimension of the input: in the padding, it
  // may be.
  std::array<Value, 3> begin;
  for (size_t d = 0; d != 3; ++d)
    begin[d] = K.add(K.mul(at.first[d + 1], P.stride[d]), -P.padLo[d]);
  Value group = K.mul(at.group, P.inPerGroup() * side.strides.channel);
  /// Rows of the input that exist, those beyond the piece's last pixel too.
  auto forRows = [&](size_t d, const std::function<void(Value)> &body) {
    Value low = K.max(K.index(0), K.sub(K.index(0), begin[d]));
    Value high =
        K.min(K.index(places[d + 1]), K.sub(K.index(side.size[d]), begin[d]));
    K.loop(low, high, 1, body);
  };
  K.loop(K.index(0), at.count[0], 1, [&](Value image) {
    forRows(0, [&](Value depth) {
      forRows(1, [&](Value height) {
        Value from =
            K.add(group, K.mul(K.add(at.first[0], image), side.strides.outer));
        from =
            K.add(from, K.mul(K.add(begin[0], depth), side.strides.spatial[0]));
        from = K.add(from,
                     K.mul(K.add(begin[1], height), side.strides.spatial[1]));
        Value to = K.add(
            K.mul(image, windowStep(0)),
            K.add(K.mul(depth, windowStep(1)), K.mul(height, windowStep(2))));
        fillWindowRow(from, begin[2], to);
      });
    });
  });
}

void WeightGradEmitter::fillWindowRow(Value from, Value firstColumn, Value to) {
  OpBuilder &b = K.builder();
  const Side &side = Nest.input;
  int64_t channels = P.inPerGroup(), columns = Nest.window(Cut.extent)[3];
  Value source = K.buffer(ArgField::In, argument(side.value), Stored);
  Value target = K.buffer(ArgField::Scratch, placeAtScratch(side), Compute);
  // Columns are written in order: what a vector writes beyond its column, the
  // next one writes again.
  auto write = [&](Value low, Value high,
                   const std::function<Value(Value, int64_t)> &vector) {
    K.loop(low, high, 1, [&](Value column) {
      for (int64_t v = 0; v < channels; v += Lanes)
        vector::StoreOp::create(b, K.loc(), vector(column, v), target,
                                K.add(to, K.add(K.mul(column, channels), v)));
    });
  };
  Value zero = zeros(VectorType::get({Lanes}, Compute));
  auto padding = [&](Value, int64_t) { return zero; };
  Value all = K.index(columns);
  Value left = K.min(all, K.max(K.index(0), K.sub(K.index(0), firstColumn)));
  Value right =
      K.max(left, K.min(all, K.sub(K.index(side.size[2]), firstColumn)));
  write(K.index(0), left, padding);
  write(left, right, [&](Value column, int64_t v) -> Value {
    Value at =
        K.add(from, K.mul(K.add(firstColumn, column), side.strides.spatial[2]));
    Value row = loadPrefix(b, K.loc(), source, K.add(at, v), Lanes,
                           std::min(Lanes, channels - v));
    return K.convert(row, Compute);
  });
  write(right, all, padding);
}

} // namespace boo::compiler
