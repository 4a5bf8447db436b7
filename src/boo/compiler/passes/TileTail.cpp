//===- TileTail.cpp - The tail over all vectors of a tile -----------------===//

#include "boo/compiler/passes/TileTail.h"
#include "boo/compiler/dialect/BooDialect.h"
#include "boo/compiler/dialect/CloneAsVector.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace boo::compiler {

bool isLongTail(Block &body) {
  // About where the loop is the shorter code: in a 14x32 tile of AVX-512 an op
  // takes 130 bytes, the loop's loads and stores 800. Elementary functions
  // become some dozens of ops.
  const int limit = 8;
  int length = 0;
  for (Operation &op : body.without_terminator()) {
    if (isa<math::MathDialect>(op.getDialect()) &&
        !isa<math::AbsFOp, math::SqrtOp>(op))
      return true;
    length += !op.hasTrait<OpTrait::ConstantLike>();
  }
  return length > limit;
}

static Value copyTail(OpBuilder &builder, Location loc, Block &body,
                      int64_t lanes, ArrayRef<Value> arguments) {
  IRMapping map;
  map.map(body.getArguments(), arguments);
  for (Operation &op : body.without_terminator())
    cloneAsVector(builder, loc, op, lanes, map);
  return map.lookup(cast<YieldOp>(body.getTerminator()).getValue());
}

SmallVector<Value> unrollTail(OpBuilder &builder, Location loc, Block &body,
                              int64_t lanes, const TailArguments &arguments) {
  SmallVector<Value> results;
  for (size_t i = 0; i != arguments.front().size(); ++i) {
    SmallVector<Value> now;
    for (const SmallVector<Value> &vectors : arguments)
      now.push_back(vectors[i]);
    results.push_back(copyTail(builder, loc, body, lanes, now));
  }
  return results;
}

Value stackBuffer(OpBuilder &builder, Location loc, int64_t number,
                  Type element, int64_t size) {
  const char *name = "boo.tail_buffer";
  auto type = MemRefType::get({size}, element);
  Operation *parent = builder.getInsertionBlock()->getParentOp();
  auto function = dyn_cast<func::FuncOp>(parent);
  if (!function)
    function = parent->getParentOfType<func::FuncOp>();
  for (auto known : function.getBody().front().getOps<memref::AllocaOp>()) {
    auto attribute = known->getAttrOfType<IntegerAttr>(name);
    if (!attribute || attribute.getInt() != number ||
        known.getType().getElementType() != element)
      continue;
    if (known.getType().getDimSize(0) < size)
      known.getResult().setType(type);
    return known;
  }
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(&function.getBody().front());
  auto made = memref::AllocaOp::create(builder, loc, type);
  made->setAttr(name, builder.getI64IntegerAttr(number));
  return made;
}

SmallVector<Value> loopTail(OpBuilder &builder, Location loc, Block &body,
                            int64_t lanes, const TailArguments &arguments) {
  const int64_t size = int64_t(arguments.front().size()) * lanes;
  auto index = [&](int64_t value) -> Value {
    return arith::ConstantIndexOp::create(builder, loc, value);
  };
  auto load = [&](Value buffer, Value at) -> Value {
    Type element = cast<MemRefType>(buffer.getType()).getElementType();
    return vector::LoadOp::create(
        builder, loc, VectorType::get({lanes}, element), buffer, at);
  };
  SmallVector<Value> buffers;
  for (auto [number, vectors] : llvm::enumerate(arguments)) {
    Type element = body.getArgument(unsigned(number)).getType();
    buffers.push_back(
        stackBuffer(builder, loc, int64_t(number), element, size));
    for (auto [i, vector] : llvm::enumerate(vectors))
      vector::StoreOp::create(builder, loc, vector, buffers.back(),
                              index(int64_t(i) * lanes));
  }
  Type element = cast<YieldOp>(body.getTerminator()).getValue().getType();
  Value out = stackBuffer(builder, loc, 0, element, size);

  auto loop =
      scf::ForOp::create(builder, loc, index(0), index(size), index(lanes));
  {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(loop.getBody());
    SmallVector<Value> now;
    for (Value buffer : buffers)
      now.push_back(load(buffer, loop.getInductionVar()));
    vector::StoreOp::create(builder, loc,
                            copyTail(builder, loc, body, lanes, now), out,
                            loop.getInductionVar());
  }
  SmallVector<Value> results;
  for (int64_t i = 0; i != size; i += lanes)
    results.push_back(load(out, index(i)));
  return results;
}

} // namespace boo::compiler
