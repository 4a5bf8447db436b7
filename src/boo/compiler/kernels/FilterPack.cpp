//===- FilterPack.cpp - Filters in blocks of output channels --------------===//

#include "boo/compiler/kernels/FilterPack.h"
#include "boo/compiler/dialect/PrefixAccess.h"
#include "boo/compiler/dialect/VectorTranspose.h"

#include "mlir/Dialect/Vector/IR/VectorOps.h"

#include <algorithm>
#include <cstdlib>

using namespace mlir;

namespace boo::compiler {

FilterPack::FilterPack(KernelBuilder &kernel, const ConvNest &nest,
                       int64_t width, int64_t lanes, int64_t blockChannels,
                       Value source, Value target)
    : K(kernel), Nest(nest), Lanes(lanes), BlockChannels(blockChannels),
      Outer(nest.problem.filterStrides.outer / width), Source(source),
      Target(target),
      Compute(cast<MemRefType>(target.getType()).getElementType()) {
  const ConvProblem &p = nest.problem;
  int64_t stride = BlockChannels;
  auto dim = [&](int64_t size, int64_t from) {
    if (size != 1)
      Dims.push_back({size, from, stride});
    stride *= size;
  };
  dim(nest.kChannels() / width, p.filterStrides.channel);
  for (size_t d = 3; d-- > 0;)
    dim(p.filter[d], p.filterStrides.spatial[d] / width);
  // Rows of lanes are written one behind the other, runs are read so.
  bool rows = Outer == 1;
  std::stable_sort(Dims.begin(), Dims.end(),
                   [&](const ReductionDim &a, const ReductionDim &b) {
                     return rows ? a.target > b.target
                                 : std::abs(a.source) > std::abs(b.source);
                   });
  mergeDims();
}

bool FilterPack::isRun() const {
  int64_t expected = 1;
  for (size_t i = Dims.size(); i-- > 0; expected *= Dims[i].size)
    if (Dims[i].source != expected)
      return false;
  return !Dims.empty();
}

void FilterPack::pack(Value from, Value to, Value low, Value high,
                      bool lastBlock) {
  int64_t channels = Nest.nExtent() % BlockChannels;
  if (!lastBlock || channels == 0)
    channels = BlockChannels;
  if (Outer == 1) {
    // Row by row: those of large filters are pages apart.
    K.loop(low, high, 1, [&](Value q) {
      auto [source, target] = place(from, to, q);
      for (int64_t v = 0; v < channels; v += Lanes)
        storeRow(loadRow(K.add(source, v), std::min(Lanes, channels - v)),
                 K.add(target, v));
    });
    return;
  }
  K.loopPieces(channels, Lanes, [&](Value first, int64_t count) {
    packVector(K.add(from, K.mul(first, Outer)), K.add(to, first), low, high,
               count);
  });
}

void FilterPack::mergeDims() {
  for (size_t i = Dims.size(); i-- > 1;) {
    ReductionDim &a = Dims[i - 1], &b = Dims[i];
    if (a.source != b.size * b.source || a.target != b.size * b.target)
      continue;
    a = {a.size * b.size, b.source, b.target};
    Dims.erase(Dims.begin() + int64_t(i));
  }
}

int64_t FilterPack::steps() const {
  int64_t product = 1;
  for (const ReductionDim &dim : Dims)
    product *= dim.size;
  return product;
}

std::pair<Value, Value> FilterPack::place(Value from, Value to, Value q) {
  std::vector<int64_t> sizes;
  for (const ReductionDim &dim : Dims)
    sizes.push_back(dim.size);
  std::vector<Value> c = K.delinearize(q, sizes);
  for (size_t i = 0; i != Dims.size(); ++i) {
    from = K.add(from, K.mul(c[i], Dims[i].source));
    to = K.add(to, K.mul(c[i], Dims[i].target));
  }
  return {from, to};
}

void FilterPack::packVector(Value from, Value to, Value low, Value high,
                            int64_t count) {
  Value rest = low;
  if (isRun()) {
    OpBuilder &b = K.builder();
    Value length = K.sub(high, low);
    rest = K.add(low, K.mul(b.createOrFold<arith::DivUIOp>(K.loc(), length,
                                                           K.index(Lanes)),
                            Lanes));
    K.loop(low, rest, Lanes, [&](Value q) { packSquare(from, to, q, count); });
  }
  // Grid tiles start at whole squares, so only a ragged sum has a rest.
  if (isRun() && steps() % Lanes == 0)
    return;
  K.loop(rest, high, 1, [&](Value q) {
    auto [source, target] = place(from, to, q);
    K.loop(K.index(0), K.index(count), 1, [&](Value lane) {
      Value at = K.add(source, K.mul(lane, Outer));
      K.store(K.convert(K.load(Source, at), Compute), Target,
              K.add(target, lane));
    });
    K.loop(K.index(count), K.index(Lanes), 1, [&](Value lane) {
      K.store(zero(Compute), Target, K.add(target, lane));
    });
  });
}

void FilterPack::packSquare(Value from, Value to, Value q, int64_t count) {
  Value start = K.add(from, q);
  SmallVector<Value> rows;
  for (int64_t lane = 0; lane != Lanes; ++lane)
    rows.push_back(lane < count ? loadRow(K.add(start, lane * Outer), Lanes)
                                : zero(VectorType::get({Lanes}, Compute)));
  SmallVector<Value> columns = transposeSquare(K.builder(), K.loc(), rows);
  for (int64_t i = 0; i != Lanes; ++i)
    storeRow(columns[size_t(i)], place(start, to, K.add(q, i)).second);
}

Value FilterPack::zero(Type type) {
  return arith::ConstantOp::create(K.builder(), K.loc(),
                                   K.builder().getZeroAttr(type));
}

Value FilterPack::loadRow(Value at, int64_t count) {
  return K.convert(loadPrefix(K.builder(), K.loc(), Source, at, Lanes, count),
                   Compute);
}

void FilterPack::storeRow(Value row, Value at) {
  vector::StoreOp::create(K.builder(), K.loc(), row, Target, at);
}

} // namespace boo::compiler
