//===- PlaceAllocations.cpp - Buffers of a kernel in its workspace --------===//
//
// Each allocation gets a place of its own: what a kernel frees is worth less
// than the thought whether another buffer may lie there.
//
//===----------------------------------------------------------------------===//

#include "boo/compiler/dialect/BooDialect.h"
#include "boo/compiler/passes/Passes.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Interfaces/ControlFlowInterfaces.h"
#include "mlir/Interfaces/LoopLikeInterface.h"
#include "mlir/Interfaces/ViewLikeInterface.h"

#include "llvm/Support/MathExtras.h"

#include <limits>

using namespace mlir;

namespace boo::compiler {
#define GEN_PASS_DEF_PLACEALLOCATIONS
#include "boo/compiler/passes/Passes.h.inc"

namespace {

/// Bytes of a buffer, or none if it has no fixed place for each element.
std::optional<int64_t> bytesOf(MemRefType type) {
  int64_t bits = 64;
  if (!type.getElementType().isIndex()) {
    if (!type.getElementType().isIntOrFloat())
      return std::nullopt;
    bits = int64_t(type.getElementTypeBitWidth());
  }
  // An element's distance from the next one, as LLVM lays them out.
  int64_t bytes = int64_t(llvm::PowerOf2Ceil(uint64_t((bits + 7) / 8)));
  for (int64_t size : type.getShape())
    if (__builtin_mul_overflow(bytes, size, &bytes))
      return std::nullopt;
  return bytes;
}

/// Why memory that is the same in every round of the loops round `alloc` will
/// not do: an operation that carries the buffer out of its round.
Operation *findEscape(Operation *alloc) {
  SmallVector<Value> work{alloc->getResult(0)};
  llvm::SmallPtrSet<Value, 8> seen;
  auto follow = [&](ValueRange values) {
    for (Value value : values)
      if (isa<BaseMemRefType>(value.getType()) && seen.insert(value).second)
        work.push_back(value);
  };
  while (!work.empty()) {
    Value value = work.pop_back_val();
    for (Operation *user : value.getUsers()) {
      if (user->hasTrait<OpTrait::IsTerminator>()) {
        Operation *parent = user->getParentOp();
        if (isa<FunctionOpInterface>(parent) ||
            (isa<LoopLikeOpInterface>(parent) &&
             parent->isProperAncestor(alloc)))
          return user;
        follow(parent->getResults());
        for (Region &region : parent->getRegions())
          follow(region.getArguments());
      } else if (isa<RegionBranchOpInterface>(user)) {
        follow(user->getResults());
        for (Region &region : user->getRegions())
          follow(region.getArguments());
      } else {
        // Views, casts and selects give other names to the same memory.
        follow(user->getResults());
      }
    }
  }
  return nullptr;
}

struct PlaceAllocations : impl::PlaceAllocationsBase<PlaceAllocations> {
  void runOnOperation() override {
    func::FuncOp function = getOperation();
    SmallVector<Operation *> allocations, frees;
    function.walk([&](Operation *op) {
      if (isa<memref::AllocOp, memref::AllocaOp>(op))
        allocations.push_back(op);
      else if (isa<memref::DeallocOp>(op))
        frees.push_back(op);
    });
    if (!allocations.empty() &&
        (function.getNumArguments() == 0 ||
         !isa<LLVM::LLVMPointerType>(function.getArgument(0).getType()))) {
      function.emitError("boo-place-allocations: the first argument must be "
                         "the pointer to boo_args");
      return signalPassFailure();
    }
    int64_t bytes = 0;
    if (auto known =
            function->getAttrOfType<IntegerAttr>(workspaceBytesAttribute))
      bytes = known.getInt();
    for (Operation *op : allocations)
      if (failed(place(op, bytes)))
        return signalPassFailure();
    for (Operation *op : frees)
      op->erase();
    function->setAttr(workspaceBytesAttribute,
                      Builder(function).getI64IntegerAttr(bytes));
  }

private:
  LogicalResult place(Operation *op, int64_t &end) {
    auto type = cast<MemRefType>(op->getResult(0).getType());
    if (!type.hasStaticShape() || op->getNumOperands() != 0)
      return op->emitError("boo-place-allocations: the size is known at run "
                           "time only");
    if (!type.getLayout().isIdentity())
      return op->emitError("boo-place-allocations: the layout is not the "
                           "identity");
    std::optional<int64_t> bytes = bytesOf(type);
    if (!bytes)
      return op->emitError("boo-place-allocations: the element type has no "
                           "size in memory, or the buffer's overflows");
    if (Operation *escape = findEscape(op)) {
      InFlightDiagnostic error = op->emitError(
          "boo-place-allocations: the buffer outlives the function or the "
          "round of the loop that allocates it");
      error.attachNote(escape->getLoc()) << "it leaves by this op";
      return error;
    }
    constexpr int64_t alignment = 64;
    int64_t begin = (end + alignment - 1) / alignment * alignment;
    // boo.arg's offset takes 31 bits.
    if (*bytes > std::numeric_limits<int32_t>::max() - begin)
      return op->emitError("boo-place-allocations: more than 2 GiB of "
                           "workspace");
    end = begin + *bytes;
    replace(op, type, begin);
    return success();
  }

  void replace(Operation *op, MemRefType type, int64_t offset) {
    OpBuilder builder(op);
    auto flat = MemRefType::get({ShapedType::kDynamic}, type.getElementType());
    Value buffer = ArgOp::create(builder, op->getLoc(), flat,
                                 getOperation().getArgument(0),
                                 ArgField::Workspace, uint64_t(offset));
    auto [strides, zero] = type.getStridesAndOffset();
    Value view = memref::ReinterpretCastOp::create(builder, op->getLoc(), type,
                                                   buffer, /*offset=*/0,
                                                   type.getShape(), strides);
    op->replaceAllUsesWith(ValueRange(view));
    op->erase();
  }
};

} // namespace
} // namespace boo::compiler
