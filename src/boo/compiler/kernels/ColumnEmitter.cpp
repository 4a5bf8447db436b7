//===- ColumnEmitter.cpp - Blocks of columns, parts of rows ---------------===//

#include "boo/compiler/kernels/ColumnEmitter.h"
#include "boo/base/Math.h"
#include "boo/compiler/dialect/BlockAccess.h"
#include "boo/graph/Attributes.h"

#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace boo::compiler {

ColumnEmitter::ColumnEmitter(KernelBuilder &builder, const Graph &group,
                             const Schedule &schedule)
    : ColumnEmitter(builder, group, schedule, makeColumnNest(group)) {}

ColumnEmitter::ColumnEmitter(KernelBuilder &builder, const Graph &group,
                             const Schedule &schedule, RowNest nest)
    : LaneMath(builder, nest.compute, nest.lanes(schedule.vectorBits),
               schedule.fma),
      Group(group), Anchor(group.nodes().front()), S(schedule),
      Nest(std::move(nest)),
      BlockColumns(std::min({S.nVectors, Lanes, mostColumnVectors}) * Lanes),
      PartRows(std::max<int64_t>(1, ceilDiv(Nest.rowCount(), S.kParts))),
      Parts(std::max<int64_t>(1, ceilDiv(Nest.rowCount(), PartRows))),
      WholeNorm(Anchor.op != Op::NormGrad) {
  if (WholeNorm)
    return;
  SumsWeight = attribute<bool>(Anchor, "dweight");
  SumsBias = attribute<bool>(Anchor, "dbias");
  Quantities = size_t(SumsWeight) + size_t(SumsBias);
}

int64_t ColumnEmitter::blocks() const {
  return ceilDiv(Nest.inner.back().size, BlockColumns);
}

std::vector<int64_t> ColumnEmitter::blockGrid() const {
  std::vector<int64_t> sizes;
  for (const RowAxis &axis : Nest.inner)
    sizes.push_back(axis.size);
  sizes.back() = blocks();
  return sizes;
}

int64_t ColumnEmitter::blockCount() const {
  return Nest.length() / Nest.inner.back().size * blocks();
}

size_t ColumnEmitter::vectors(const Block &block) const {
  return size_t(ceilDiv(block.columns, Lanes));
}

void ColumnEmitter::emit(KernelModule &kernel) {
  bool norm = Anchor.op == Op::BatchNorm;
  bool direct = Parts == 1 && !WholeNorm;
  int64_t bytes = int64_t(Quantities) * blockCount() * BlockColumns *
                  dtypeBytes(Nest.compute);
  if (!direct)
    Partial = addWorkspace(kernel, Parts * bytes);
  if (WholeNorm)
    Joined = addWorkspace(kernel, bytes);
  dispatchPieces(kernel, norm ? "part_statistics" : "sum_columns", PartRows,
                 [&](const Block &block, Value part, Value low, Value high) {
                   Values sums = norm ? statistics(block, low, high)
                                      : partSums(block, low, high);
                   if (direct)
                     finishGradients(block, sums);
                   else
                     storeSums(block, part, sums);
                 });
  if (direct)
    return;
  addDispatch(K, kernel, norm ? "join_statistics" : "add_parts", blockGrid(),
              S.serial, [&](const std::vector<Value> &c) {
                withBlock(c, [&](const Block &block) {
                  Values known =
                      norm ? finishStatistics(block, joinStatistics(block))
                           : finishGradients(block, joinGradients(block));
                  if (WholeNorm)
                    storeSums(block, Value(), known);
                });
              });
  if (WholeNorm)
    dispatchRows(kernel, norm ? "normalise" : "input_gradient",
                 [&](const Block &block, Value low, Value high) {
                   norm ? applyNorm(block, low, high)
                        : applyGradient(block, low, high);
                 });
}

void ColumnEmitter::dispatchRows(
    KernelModule &kernel, const char *name,
    const std::function<void(const Block &, Value, Value)> &body) {
  int64_t chunk = std::min(S.nChunk, blocks());
  if (chunk == 1)
    return dispatchPieces(kernel, name, S.wChunk,
                          [&](const Block &block, Value, Value low,
                              Value high) { body(block, low, high); });
  std::vector<int64_t> grid = blockGrid();
  grid.back() = ceilDiv(blocks(), chunk);
  dispatchRanges(kernel, name, S.wChunk, grid,
                 [&](Value, Value low, Value high, ArrayRef<Value> c) {
                   Value first = K.mul(c.back(), chunk);
                   Value end = K.min(K.index(blocks()), K.add(first, chunk));
                   SmallVector<Value> at(c);
                   K.loop(low, high, 1, [&](Value row) {
                     K.loop(first, end, 1, [&](Value number) {
                       at.back() = number;
                       withBlock(at, [&](const Block &block) {
                         body(block, row, K.add(row, 1));
                       });
                     });
                   });
                 });
}

void ColumnEmitter::dispatchPieces(
    KernelModule &kernel, const char *name, int64_t rows,
    const std::function<void(const Block &, Value, Value, Value)> &body) {
  dispatchRanges(kernel, name, rows, blockGrid(),
                 [&](Value number, Value low, Value high, ArrayRef<Value> c) {
                   withBlock(c, [&](const Block &block) {
                     body(block, number, low, high);
                   });
                 });
}

void ColumnEmitter::dispatchRanges(
    KernelModule &kernel, const char *name, int64_t rows,
    std::vector<int64_t> grid,
    const std::function<void(Value, Value, Value, ArrayRef<Value>)> &body) {
  int64_t all = Nest.rowCount();
  grid.insert(grid.begin(), std::max<int64_t>(1, ceilDiv(all, rows)));
  addDispatch(K, kernel, name, grid, S.serial,
              [&](const std::vector<Value> &c) {
                Value low = K.mul(c[0], rows);
                Value high = K.min(K.index(all), K.add(low, rows));
                body(c[0], low, high, ArrayRef(c).drop_front());
              });
}

void ColumnEmitter::withBlock(ArrayRef<Value> coordinates,
                              const std::function<void(const Block &)> &body) {
  std::vector<int64_t> sizes = blockGrid();
  Block block{K.index(0), {}, BlockColumns};
  block.base.assign(Nest.operands.size(), K.index(0));
  for (size_t axis = 0; axis != sizes.size(); ++axis) {
    block.number = K.add(K.mul(block.number, sizes[axis]), coordinates[axis]);
    int64_t step = axis + 1 == sizes.size() ? BlockColumns : 1;
    for (size_t i = 0; i != Nest.operands.size(); ++i)
      block.base[i] =
          K.add(block.base[i],
                K.mul(coordinates[axis], Nest.inner[axis].strides[i] * step));
  }
  auto withColumns = [&](int64_t columns) {
    block.columns = columns;
    body(block);
  };
  int64_t rest = Nest.inner.back().size % BlockColumns;
  if (rest == 0)
    return withColumns(BlockColumns);
  if (sizes.back() == 1)
    return withColumns(rest);
  K.ifThen(
      K.equal(coordinates.back(), sizes.back() - 1), [&] { withColumns(rest); },
      [&] { withColumns(BlockColumns); });
}

ColumnEmitter::Values ColumnEmitter::carry(Value low, Value high, Values init,
                                           const Carry &body) {
  OpBuilder &builder = K.builder();
  auto loop = scf::ForOp::create(builder, K.loc(), low, high, K.index(1), init);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(loop.getBody());
  Values next = body(loop.getInductionVar(), loop.getRegionIterArgs());
  scf::YieldOp::create(builder, K.loc(), next);
  return Values(loop.getResults());
}

//===----------------------------------------------------------------------===//
// Operands
//===----------------------------------------------------------------------===//

Value ColumnEmitter::rowOffset(Value row, size_t operand) {
  std::vector<int64_t> sizes;
  for (const RowAxis &axis : Nest.rows)
    sizes.push_back(axis.size);
  std::vector<Value> c = K.delinearize(row, sizes);
  Value at = K.index(0);
  for (size_t axis = 0; axis != sizes.size(); ++axis)
    at = K.add(at, K.mul(c[axis], Nest.rows[axis].strides[operand]));
  return at;
}

ColumnEmitter::Values ColumnEmitter::loadVectors(Value buffer, Value at,
                                                 int64_t stride,
                                                 int64_t columns) {
  Values values;
  int64_t whole = columns / Lanes, rest = columns % Lanes;
  if (whole != 0)
    values = loadBlock(K.builder(), K.loc(), buffer, at,
                       {whole, Lanes, Lanes, stride * Lanes, stride});
  if (rest != 0)
    values.append(loadBlock(K.builder(), K.loc(), buffer,
                            K.add(at, whole * Lanes * stride),
                            {1, Lanes, rest, 0, stride}));
  for (Value &value : values)
    value = K.convert(value, Element);
  return values;
}

ColumnEmitter::Values ColumnEmitter::load(const Block &block, Value row,
                                          size_t number) {
  const std::vector<ValueId> &arguments = Group.arguments();
  auto operand = size_t(
      std::find(arguments.begin(), arguments.end(), Anchor.operands[number]) -
      arguments.begin());
  Value buffer = K.buffer(ArgField::In, int64_t(operand),
                          K.type(Nest.operands[operand].dtype));
  return loadVectors(buffer,
                     K.add(block.base[operand], rowOffset(row, operand)),
                     Nest.inner.back().strides[operand], block.columns);
}

ColumnEmitter::Values ColumnEmitter::loadParameter(const Block &block,
                                                   size_t number) {
  return load(block, K.index(0), number);
}

void ColumnEmitter::store(const Block &block, Value row, size_t result,
                          ArrayRef<Value> values) {
  size_t operand = Group.arguments().size() + result;
  Type type = K.type(Nest.operands[operand].dtype);
  Value buffer = K.buffer(ArgField::Out, int64_t(result), type);
  Value at = K.add(block.base[operand], rowOffset(row, operand));
  int64_t stride = Nest.inner.back().strides[operand];
  for (auto [i, value] : llvm::enumerate(values))
    storeBlock(K.builder(), K.loc(), K.convert(value, type), buffer,
               K.add(at, int64_t(i) * Lanes * stride),
               {1, Lanes, std::min(Lanes, block.columns - int64_t(i) * Lanes),
                0, stride});
}

/// [part][quantity][block][column].
Value ColumnEmitter::sumsOffset(const Block &block, Value part,
                                size_t quantity) {
  Value at = K.index(int64_t(quantity));
  if (part)
    at = K.add(K.mul(part, int64_t(Quantities)), at);
  at = K.add(K.mul(at, blockCount()), block.number);
  return K.mul(at, BlockColumns);
}

ColumnEmitter::Values ColumnEmitter::loadSums(const Block &block, Value part) {
  Value buffer =
      K.buffer(ArgField::Workspace, part ? Partial : Joined, Element);
  Values values;
  for (size_t i = 0; i != Quantities * vectors(block); ++i)
    values.push_back(vector::LoadOp::create(
        K.builder(), K.loc(), Vector, buffer,
        K.add(sumsOffset(block, part, i / vectors(block)),
              int64_t(i % vectors(block)) * Lanes)));
  return values;
}

void ColumnEmitter::storeSums(const Block &block, Value part,
                              ArrayRef<Value> sums) {
  Value buffer =
      K.buffer(ArgField::Workspace, part ? Partial : Joined, Element);
  for (auto [i, sum] : llvm::enumerate(sums))
    vector::StoreOp::create(K.builder(), K.loc(), sum, buffer,
                            K.add(sumsOffset(block, part, i / vectors(block)),
                                  int64_t(i % vectors(block)) * Lanes));
}

} // namespace boo::compiler
