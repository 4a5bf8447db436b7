//===- IntegerHalves.cpp - Floats of 16 bits travel as integers -----------===//
//
// Where the ISA has no registers for a float of 16 bits, the x86 back end keeps
// a scalar one as an i16 or an f32 as it sees fit, and moving it into a vector
// then calls libgcc. Memory and lanes of i16 leave it no choice to make.
//
//===----------------------------------------------------------------------===//

#include "boo/compiler/passes/Passes.h"

#include "mlir/Dialect/AMX/AMXDialect.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace boo::compiler {
#define GEN_PASS_DEF_INTEGERHALVES
#include "boo/compiler/passes/Passes.h.inc"

namespace {

/// The type with i16 in place of f16 and bf16, or null if it holds neither.
Type integerType(Type type) {
  // Tiles of a matrix unit keep their type: they compute.
  if (isa<MemRefType, VectorType>(type)) {
    auto shaped = cast<ShapedType>(type);
    Type element = integerType(shaped.getElementType());
    return element ? Type(shaped.clone(element)) : Type();
  }
  if (isa<FloatType>(type) && type.getIntOrFloatBitWidth() == 16)
    return IntegerType::get(type.getContext(), 16);
  return {};
}

/// Ops that only move elements: they do as well on i16.
bool movesElements(Operation *op) {
  return isa<memref::LoadOp, memref::StoreOp, vector::LoadOp, vector::StoreOp,
             vector::MaskedLoadOp, vector::MaskedStoreOp, vector::BroadcastOp,
             vector::InsertOp, vector::ExtractOp, vector::ShuffleOp,
             arith::SelectOp>(op);
}

/// Gives such an op integers to move, and its users the floats they know.
void moveIntegers(Operation *op) {
  OpBuilder builder(op);
  for (OpOperand &operand : op->getOpOperands()) {
    Type type = operand.get().getType();
    if (isa<MemRefType>(type))
      continue;
    if (Type integer = integerType(type))
      operand.set(arith::BitcastOp::create(builder, op->getLoc(), integer,
                                           operand.get()));
  }
  builder.setInsertionPointAfter(op);
  for (OpResult result : op->getResults()) {
    Type type = result.getType(), integer = integerType(type);
    if (!integer || isa<MemRefType>(type))
      continue;
    result.setType(integer);
    auto back = arith::BitcastOp::create(builder, op->getLoc(), type, result);
    result.replaceAllUsesExcept(back, back);
  }
}

void retype(Value value) {
  if (isa<MemRefType>(value.getType()))
    if (Type type = integerType(value.getType()))
      value.setType(type);
}

/// A constant's bytes, read as integers.
void retypeGlobal(memref::GlobalOp global) {
  Type type = integerType(global.getType());
  if (!type)
    return;
  global.setType(cast<MemRefType>(type));
  if (auto value = dyn_cast_if_present<DenseElementsAttr>(
          global.getInitialValue().value_or(nullptr)))
    global.setInitialValueAttr(
        value.bitcast(IntegerType::get(global.getContext(), 16)));
}

struct IntegerHalves : impl::IntegerHalvesBase<IntegerHalves> {
  void runOnOperation() override {
    SmallVector<Operation *> movers;
    WalkResult result = getOperation().walk([&](Operation *op) {
      if (movesElements(op)) {
        movers.push_back(op);
      } else if (accessesHalves(op)) {
        op->emitError("boo-integer-halves: reads or writes floats of 16 bits "
                      "and is none of the ops that can do so as integers");
        return WalkResult::interrupt();
      }
      return WalkResult::advance();
    });
    if (result.wasInterrupted())
      return signalPassFailure();
    getOperation().walk([](Operation *op) {
      if (auto global = dyn_cast<memref::GlobalOp>(op))
        retypeGlobal(global);
      for (OpResult result : op->getResults())
        retype(result);
      for (Region &region : op->getRegions())
        for (BlockArgument argument : region.getArguments())
          retype(argument);
      if (auto function = dyn_cast<func::FuncOp>(op))
        if (!function.isExternal())
          function.setFunctionType(FunctionType::get(
              function.getContext(), function.front().getArgumentTypes(),
              function.getResultTypes()));
    });
    for (Operation *op : movers)
      moveIntegers(op);
  }

private:
  /// Whether the op has elements of a memref of halves as values.
  static bool accessesHalves(Operation *op) {
    // A tile is loaded by its address, whatever that memory is said to hold.
    if (isa<amx::TileLoadOp>(op))
      return false;
    auto isHalf = [](Type type) { return bool(integerType(type)); };
    auto isHalfMemory = [&](Type type) {
      return isa<MemRefType>(type) && isHalf(type);
    };
    auto isHalfValue = [&](Type type) {
      return !isa<MemRefType>(type) && isHalf(type);
    };
    return llvm::any_of(op->getOperandTypes(), isHalfMemory) &&
           (llvm::any_of(op->getOperandTypes(), isHalfValue) ||
            llvm::any_of(op->getResultTypes(), isHalfValue));
  }
};

} // namespace
} // namespace boo::compiler
