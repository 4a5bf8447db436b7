//===- RowEmitter.cpp - Rows, loops and operands --------------------------===//

#include "boo/compiler/kernels/RowEmitter.h"
#include "boo/base/Math.h"
#include "boo/compiler/kernels/ColumnEmitter.h"
#include "boo/compiler/kernels/PointwiseBuilder.h"
#include "boo/graph/Attributes.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;

namespace boo::compiler {

RowEmitter::RowEmitter(KernelBuilder &builder, const Graph &group,
                       const Schedule &schedule)
    : RowEmitter(builder, group, schedule, makeRowNest(group)) {}

RowEmitter::RowEmitter(KernelBuilder &builder, const Graph &group,
                       const Schedule &schedule, RowNest nest)
    : LaneMath(builder, nest.compute, nest.lanes(schedule.vectorBits),
               schedule.fma),
      Group(group), Anchor(group.nodes().front()), S(schedule),
      Nest(std::move(nest)) {}

//===----------------------------------------------------------------------===//
// Rows and loops
//===----------------------------------------------------------------------===//

static std::vector<int64_t> unitSizes(const RowNest &nest, bool alongRow,
                                      int64_t lanes) {
  std::vector<int64_t> sizes;
  for (const RowAxis &axis : nest.rows)
    sizes.push_back(axis.size);
  if (!alongRow)
    sizes.back() = ceilDiv(sizes.back(), lanes);
  return sizes;
}

int64_t RowEmitter::unitCount() const {
  if (Nest.rowCount() == 0)
    return 0;
  int64_t units = 1;
  for (int64_t size : unitSizes(Nest, S.dot, Lanes))
    units *= size;
  return units;
}

void RowEmitter::overUnits(
    const std::string &name, int64_t parts,
    const std::function<void(Value, const Unit &)> &row) {
  int64_t units = unitCount();
  int64_t chunk = std::min(S.wChunk, std::max<int64_t>(units, 1));
  int64_t chunks = ceilDiv(units, chunk), tiles = parts * chunks;
  auto body = [&](Value tile) {
    std::vector<Value> at = K.delinearize(tile, {parts, chunks});
    Value first = K.mul(at[1], chunk);
    Value end = K.add(first, chunk);
    if (units % chunk != 0)
      end = K.min(end, K.index(units));
    auto overRows = [&](Value from, Value to, int64_t rows) {
      K.loop(from, to, rows, [&](Value number) {
        emitUnit(number, rows, [&](const Unit &unit) { row(at[0], unit); });
      });
    };
    int64_t together = std::min(S.mTile, chunk);
    if (chunk % together == 0 && units % together == 0)
      return overRows(first, end, together);
    std::vector<Value> groups =
        K.delinearize(K.sub(end, first), {chunk / together + 1, together});
    Value alone = K.add(first, K.mul(groups[0], together));
    overRows(first, alone, together);
    overRows(alone, end, 1);
  };
  int64_t number = int64_t(Kernel->run.size());
  if (units == 0)
    K.dispatch(number, [](Value) {});
  else if (S.serial)
    K.dispatch(number, body, tiles);
  else
    K.dispatch(number, body);
  Kernel->run.push_back({"boo_dispatch_" + std::to_string(number), name,
                         S.serial ? std::min<int64_t>(tiles, 1) : tiles});
}

void RowEmitter::emit(KernelModule &kernel) {
  Kernel = &kernel;
  if (Anchor.op == Op::Reduce && Nest.parts(S) > 1)
    emitParts();
  else
    overUnits(std::string(opName(Anchor.op)), 1,
              [&](Value, const Unit &unit) { emitRow(unit); });
  if (S.scratchInput)
    Kernel->scratchBytes =
        Nest.length() * (S.dot ? S.mTile : Lanes) * dtypeBytes(Nest.compute);
}

void RowEmitter::emitUnit(Value number, int64_t rows, const RowBody &row) {
  std::vector<int64_t> sizes = unitSizes(Nest, S.dot, Lanes);
  std::vector<Value> at;
  Unit place{{}, 1, number};
  for (int64_t next = 0; next != rows; ++next) {
    at = K.delinearize(K.add(number, next), sizes);
    std::vector<Value> base(Nest.operands.size(), K.index(0));
    for (size_t axis = 0; axis != sizes.size(); ++axis) {
      bool lanes = !S.dot && axis + 1 == sizes.size();
      for (size_t i = 0; i != base.size(); ++i)
        base[i] = K.add(base[i], K.mul(at[axis], Nest.rows[axis].strides[i] *
                                                     (lanes ? Lanes : 1)));
    }
    place.base.push_back(std::move(base));
  }
  if (S.dot)
    return row(place);
  int64_t rest = Nest.rows.back().size % Lanes;
  auto emitLanes = [&](int64_t count) {
    place.count = count;
    row(place);
  };
  if (rest == 0)
    return emitLanes(Lanes);
  if (sizes.back() == 1)
    return emitLanes(rest);
  K.ifThen(
      K.equal(at.back(), sizes.back() - 1), [&] { emitLanes(rest); },
      [&] { emitLanes(Lanes); });
}

void RowEmitter::emitRow(const Unit &unit) {
  switch (Anchor.op) {
  case Op::Norm:
  case Op::BatchNorm:
    return emitNorm(unit);
  case Op::NormGrad:
  case Op::BatchNormGrad:
    return emitNormGrad(unit);
  case Op::Softmax:
    return emitSoftmax(unit);
  case Op::SoftmaxGrad:
    return emitSoftmaxGrad(unit);
  case Op::ArgReduce:
    return emitArgReduce(unit);
  default:
    return emitReduce(unit);
  }
}

RowEmitter::Values RowEmitter::carry(Value begin, int64_t trips, int64_t step,
                                     Values init, const Carry &body) {
  if (trips == 0)
    return init;
  if (trips == 1)
    return body(begin, init);
  if (init.empty()) {
    K.loop(begin, K.add(begin, trips * step), step,
           [&](Value at) { body(at, {}); });
    return {};
  }
  OpBuilder &builder = K.builder();
  auto loop = scf::ForOp::create(
      builder, K.loc(), begin, K.add(begin, trips * step), K.index(step), init);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(loop.getBody());
  Values next = body(loop.getInductionVar(), loop.getRegionIterArgs());
  scf::YieldOp::create(builder, K.loc(), next);
  return Values(loop.getResults());
}

RowEmitter::Range RowEmitter::whole() {
  return {K.index(0), Nest.inner.front().size};
}

RowEmitter::Values RowEmitter::walk(const Range &range, Values init,
                                    const Body &body) {
  return walkAxes(range, {}, std::move(init), body);
}

RowEmitter::Values RowEmitter::walkAxes(const Range &range, Values at,
                                        Values init, const Body &body) {
  if (at.size() + 1 == Nest.inner.size())
    return walkLast(at.empty() ? range
                               : Range{K.index(0), Nest.inner.back().size},
                    at, std::move(init), body);
  Range own =
      at.empty() ? range : Range{K.index(0), Nest.inner[at.size()].size};
  return carry(own.begin, own.length, 1, std::move(init),
               [&](Value index, ValueRange carried) {
                 Values deeper = at;
                 deeper.push_back(index);
                 return walkAxes(range, deeper, Values(carried), body);
               });
}

RowEmitter::Values RowEmitter::walkLast(const Range &range, const Values &at,
                                        Values init, const Body &body) {
  int64_t step = S.dot ? Lanes : 1, block = S.kUnroll * step;
  int64_t full = range.length / block;
  auto visit = [&](Value index, int64_t vectors, int64_t lanes,
                   Values carried) {
    Piece piece{at, vectors, lanes};
    piece.at.push_back(index);
    body(piece, carried);
    return carried;
  };
  // With lanes over rows it is the unit that knows how many there are.
  int64_t lanes = S.dot ? Lanes : 0;
  Values values =
      carry(range.begin, full, block, std::move(init),
            [&](Value index, ValueRange carried) {
              return visit(index, S.kUnroll, lanes, Values(carried));
            });
  int64_t done = full * block;
  if (int64_t rest = (range.length - done) / step) {
    values = visit(K.add(range.begin, done), rest, lanes, std::move(values));
    done += rest * step;
  }
  if (int64_t rest = range.length - done)
    values = visit(K.add(range.begin, done), 1, rest, std::move(values));
  return values;
}

//===----------------------------------------------------------------------===//
// Operands
//===----------------------------------------------------------------------===//

std::pair<Value, VectorBlock> RowEmitter::place(const Unit &unit, size_t row,
                                                const Piece &piece,
                                                size_t operand) {
  Value at = unit.base[row][operand];
  for (size_t axis = 0; axis != Nest.inner.size(); ++axis)
    at = K.add(at, K.mul(piece.at[axis], Nest.inner[axis].strides[operand]));
  int64_t along = Nest.inner.back().strides[operand];
  VectorBlock block{piece.vectors, Lanes, piece.count, along * Lanes, along};
  if (!S.dot)
    block = {piece.vectors, Lanes, unit.count, along,
             Nest.rows.back().strides[operand]};
  return {at, block};
}

SmallVector<Value> RowEmitter::loadRaw(const Unit &unit, const Piece &piece,
                                       size_t operand) {
  Value buffer = K.buffer(ArgField::In, int64_t(operand),
                          K.type(Nest.operands[operand].dtype));
  bool repeats = llvm::all_of(Nest.rows, [&](const RowAxis &axis) {
    return axis.strides[operand] == 0;
  });
  Values values, loaded;
  for (size_t row = 0; row != unit.base.size(); ++row) {
    if (row == 0 || !repeats) {
      auto [at, block] = place(unit, row, piece, operand);
      loaded = loadBlock(K.builder(), K.loc(), buffer, at, block);
    }
    llvm::append_range(values, loaded);
  }
  return values;
}

RowEmitter::Values RowEmitter::load(const Unit &unit, const Piece &piece,
                                    size_t operand) {
  Values values = loadRaw(unit, piece, operand);
  for (Value &value : values)
    value = K.convert(value, Element);
  return values;
}

void RowEmitter::store(const Unit &unit, const Piece &piece, size_t operand,
                       ArrayRef<Value> values) {
  Type type = K.type(Nest.operands[operand].dtype);
  Value buffer = K.buffer(ArgField::Out,
                          int64_t(operand - Group.arguments().size()), type);
  Values narrow;
  for (Value value : values)
    narrow.push_back(isa<FloatType>(type) ? K.convert(value, type) : value);
  auto vectors = size_t(piece.vectors);
  for (size_t row = 0; row != unit.base.size(); ++row) {
    auto [at, block] = place(unit, row, piece, operand);
    storeBlock(K.builder(), K.loc(),
               ArrayRef(narrow).slice(row * vectors, vectors), buffer, at,
               block);
  }
}

std::pair<Value, VectorBlock> RowEmitter::scratchPlace(size_t row,
                                                       const Piece &piece) {
  Value at = K.index(int64_t(row) * Nest.length());
  int64_t stride = S.dot ? 1 : Lanes;
  for (size_t axis = Nest.inner.size(); axis-- != 0;) {
    at = K.add(at, K.mul(piece.at[axis], stride));
    stride *= Nest.inner[axis].size;
  }
  return {at, {piece.vectors, Lanes, S.dot ? piece.count : Lanes, Lanes, 1}};
}

RowEmitter::Values RowEmitter::loadScratch(const Unit &unit,
                                           const Piece &piece) {
  Value buffer = K.buffer(ArgField::Scratch, 0, Element);
  Values values;
  for (size_t row = 0; row != unit.base.size(); ++row) {
    auto [at, block] = scratchPlace(row, piece);
    llvm::append_range(values,
                       loadBlock(K.builder(), K.loc(), buffer, at, block));
  }
  return values;
}

void RowEmitter::storeScratch(const Unit &unit, const Piece &piece,
                              ArrayRef<Value> values) {
  Value buffer = K.buffer(ArgField::Scratch, 0, Element);
  auto vectors = size_t(piece.vectors);
  for (size_t row = 0; row != unit.base.size(); ++row) {
    auto [at, block] = scratchPlace(row, piece);
    storeBlock(K.builder(), K.loc(), values.slice(row * vectors, vectors),
               buffer, at, block);
  }
}

RowEmitter::Piece RowEmitter::statisticPiece(const Unit &unit) {
  return {Values(Nest.inner.size(), K.index(0)), 1, S.dot ? 1 : unit.count};
}

RowEmitter::Statistics RowEmitter::loadStatistic(const Unit &unit,
                                                 size_t operand) {
  Piece all{Values(Nest.inner.size(), K.index(0)), 1,
            S.dot ? Lanes : unit.count};
  return load(unit, all, operand);
}

RowEmitter::Statistics
RowEmitter::forRows(const Unit &unit,
                    const std::function<Value(size_t)> &make) {
  Statistics values;
  for (size_t row = 0; row != unit.base.size(); ++row)
    values.push_back(make(row));
  return values;
}

size_t RowEmitter::operand(size_t number) const {
  const std::vector<ValueId> &arguments = Group.arguments();
  return size_t(
      std::find(arguments.begin(), arguments.end(), Anchor.operands[number]) -
      arguments.begin());
}

void RowEmitter::finish(const Unit &unit, const Piece &piece,
                        ArrayRef<Value> results) {
  std::map<ValueId, Values> read;
  for (size_t i = 1; i != Group.nodes().size(); ++i)
    for (ValueId id : Group.nodes()[i].operands) {
      if (Group.value(id).producer >= 0 || read.count(id))
        continue;
      const std::vector<ValueId> &arguments = Group.arguments();
      size_t operand =
          size_t(std::find(arguments.begin(), arguments.end(), id) -
                 arguments.begin());
      read[id] = loadRaw(unit, piece, operand);
    }
  Values outputs;
  for (size_t u = 0; u != results.size(); ++u) {
    std::map<ValueId, Value> values{{Anchor.results[0], results[u]}};
    for (const auto &[id, vectors] : read)
      values[id] = vectors[u];
    outputs.push_back(buildTail(K, Group, 1, Group.outputs().front().value,
                                Nest.compute, std::move(values)));
  }
  store(unit, piece, Group.arguments().size(), outputs);
}

/// Whether a dispatch goes row by row: what is done for each column alone does
/// not.
static bool hasRows(const Graph &group, const Schedule &schedule) {
  const Node &anchor = group.nodes().front();
  if (anchor.op == Op::NormGrad)
    return attribute<bool>(anchor, "dx");
  return !worksOnColumns(group, schedule);
}

StatusOr<KernelModule> emitRows(MLIRContext &context, const Graph &group,
                                const Schedule &schedule) {
  KernelModule kernel;
  kernel.module = ModuleOp::create(UnknownLoc::get(&context));
  KernelBuilder builder(*kernel.module);
  if (hasRows(group, schedule))
    RowEmitter(builder, group, schedule).emit(kernel);
  if (sumsColumns(group) || worksOnColumns(group, schedule))
    ColumnEmitter(builder, group, schedule).emit(kernel);
  return kernel;
}

} // namespace boo::compiler
