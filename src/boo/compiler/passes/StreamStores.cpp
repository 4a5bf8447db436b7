//===- StreamStores.cpp - Outputs that go past the caches -----------------===//
//
// A store of part of a cache line reads the line first. A non-temporal store of
// all of it does not, which is a third of the traffic of a copy; but it needs
// an address on a line, and a buffer's address is known at run time only. So
// each dispatch gets a twin whose stores are non-temporal where their offsets
// are whole lines, and runs it when the buffers begin on one.
//
//===----------------------------------------------------------------------===//

#include "boo/compiler/dialect/BooDialect.h"
#include "boo/compiler/passes/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/Matchers.h"

#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/Sequence.h"
#include "llvm/ADT/SetVector.h"

#include <map>

using namespace mlir;

namespace boo::compiler {
#define GEN_PASS_DEF_STREAMSTORES
#include "boo/compiler/passes/Passes.h.inc"

namespace {

constexpr int64_t LineBytes = 64;

/// Powers of two that divide index values, whatever the launch.
class Divisors {
public:
  /// At least 1, at most `Most`.
  int64_t of(Value value) {
    if (auto known = Known.find(value); known != Known.end())
      return known->second;
    int64_t divisor = compute(value);
    Known[value] = divisor;
    return divisor;
  }

private:
  static constexpr int64_t Most = LineBytes;

  int64_t compute(Value value) {
    APInt constant;
    if (matchPattern(value, m_ConstantInt(&constant)))
      return constant.isZero()
                 ? Most
                 : std::min(Most, int64_t(1) << std::min<unsigned>(
                                      6, constant.countTrailingZeros()));
    if (auto argument = dyn_cast<BlockArgument>(value)) {
      auto loop = dyn_cast<scf::ForOp>(argument.getOwner()->getParentOp());
      if (!loop || argument != loop.getInductionVar())
        return 1;
      return std::min(of(loop.getLowerBound()), of(loop.getStep()));
    }
    Operation *op = value.getDefiningOp();
    if (isa<arith::MulIOp>(op))
      return std::min(Most, of(op->getOperand(0)) * of(op->getOperand(1)));
    if (isa<arith::SelectOp>(op))
      return std::min(of(op->getOperand(1)), of(op->getOperand(2)));
    if (isa<arith::AddIOp, arith::SubIOp, arith::MinSIOp, arith::MaxSIOp,
            arith::RemUIOp>(op))
      return std::min(of(op->getOperand(0)), of(op->getOperand(1)));
    return 1;
  }

  llvm::DenseMap<Value, int64_t> Known;
};

/// The stores of a function that fill lines of outputs, with others of their
/// block where one is shorter than a line.
class LineStores {
public:
  explicit LineStores(func::FuncOp function) {
    function.walk([&](vector::StoreOp store) { look(store); });
    for (auto &[line, parts] : Lines) {
      int64_t bytes = 0;
      for (auto [distance, store] : parts)
        bytes += bytesOf(store);
      if (bytes != LineBytes)
        continue;
      Whole.push_back({});
      for (auto [distance, store] : parts)
        Whole.back().push_back(store);
      Buffers.insert(parts.begin()->second.getBase());
    }
  }

  /// The parts of each line, in the order of memory.
  ArrayRef<SmallVector<vector::StoreOp>> lines() const { return Whole; }
  /// What they write to: results of boo.arg.
  ArrayRef<Value> buffers() const { return Buffers.getArrayRef(); }

private:
  /// A line of a buffer, as a distance in lines from an offset on a line.
  using Line = std::tuple<const void *, const void *, const void *, int64_t>;

  static int64_t bytesOf(vector::StoreOp store) {
    VectorType type = store.getVectorType();
    return type.getNumElements() * type.getElementTypeBitWidth() / 8;
  }

  void look(vector::StoreOp store) {
    auto buffer = store.getBase().getDefiningOp<ArgOp>();
    if (!buffer || buffer.getField() != ArgField::Out ||
        store.getVectorType().getRank() != 1)
      return;
    Value root = store.getIndices().front();
    int64_t distance = 0;
    APInt constant;
    if (auto add = root.getDefiningOp<arith::AddIOp>();
        add && matchPattern(add.getRhs(), m_ConstantInt(&constant))) {
      root = add.getLhs();
      distance = constant.getSExtValue();
    } else if (matchPattern(root, m_ConstantInt(&constant))) {
      root = Value();
      distance = constant.getSExtValue();
    }
    int64_t element = store.getVectorType().getElementTypeBitWidth() / 8;
    int64_t bytes = bytesOf(store);
    if (element == 0 || bytes > LineBytes || distance * element % bytes != 0 ||
        (root && Known.of(root) * element % LineBytes != 0))
      return;
    int64_t line = distance * element / LineBytes;
    Lines[{store->getBlock(), store.getBase().getAsOpaquePointer(),
           root.getAsOpaquePointer(), line}]
        .insert({distance, store});
  }

  Divisors Known;
  llvm::MapVector<Line, std::map<int64_t, vector::StoreOp>,
                  std::map<Line, unsigned>>
      Lines; ///< in the order of the function
  SmallVector<SmallVector<vector::StoreOp>> Whole;
  llvm::SetVector<Value> Buffers;
};

/// The vectors of equal parts, which are a power of two, one behind the other.
Value concatenate(OpBuilder &builder, Location loc,
                  ArrayRef<vector::StoreOp> parts) {
  if (parts.size() == 1)
    return vector::StoreOp(parts.front()).getValueToStore();
  Value low = concatenate(builder, loc, parts.take_front(parts.size() / 2));
  Value high = concatenate(builder, loc, parts.drop_front(parts.size() / 2));
  int64_t lanes = 2 * cast<VectorType>(low.getType()).getNumElements();
  return vector::ShuffleOp::create(builder, loc, low, high,
                                   llvm::to_vector(llvm::seq(lanes)));
}

/// A line's parts go as one, where the last of them went: halves that reach the
/// write buffers apart would each read the line after all.
void makeStreaming(const LineStores &found) {
  for (ArrayRef<vector::StoreOp> parts : found.lines()) {
    vector::StoreOp last =
        *llvm::max_element(parts, [](vector::StoreOp a, vector::StoreOp b) {
          return a->isBeforeInBlock(b);
        });
    OpBuilder builder(last);
    Value line = concatenate(builder, last.getLoc(), parts);
    vector::StoreOp first = parts.front();
    vector::StoreOp::create(builder, last.getLoc(), line, first.getBase(),
                            first.getIndices(), /*nontemporal=*/true,
                            llvm::MaybeAlign(LineBytes));
    for (vector::StoreOp part : parts)
      part.erase();
  }
}

/// Other threads see what follows a dispatch's end after what it stored.
void fenceReturns(func::FuncOp function) {
  function.walk([](func::ReturnOp end) {
    OpBuilder builder(end);
    LLVM::CallIntrinsicOp::create(builder, end.getLoc(),
                                  builder.getStringAttr("llvm.x86.sse.sfence"),
                                  ValueRange{});
  });
}

/// Runs `twin` in place of `function` if the buffers begin on lines.
void branchTo(func::FuncOp twin, func::FuncOp function,
              ArrayRef<Value> buffers) {
  Location loc = function.getLoc();
  Block *entry = &function.front();
  OpBuilder builder(entry, entry->begin());
  Value bits;
  for (Value buffer : buffers) {
    Value own = builder.clone(*buffer.getDefiningOp())->getResult(0);
    Value address =
        memref::ExtractAlignedPointerAsIndexOp::create(builder, loc, own);
    bits = bits ? arith::OrIOp::create(builder, loc, bits, address) : address;
  }
  Value mask = arith::ConstantIndexOp::create(builder, loc, LineBytes - 1);
  Value zero = arith::ConstantIndexOp::create(builder, loc, 0);
  Value aligned = arith::CmpIOp::create(
      builder, loc, arith::CmpIPredicate::eq,
      arith::AndIOp::create(builder, loc, bits, mask), zero);
  Block *rest = entry->splitBlock(builder.getInsertionPoint());
  Block *stream = builder.createBlock(rest);
  auto call = func::CallOp::create(builder, loc, twin, entry->getArguments());
  func::ReturnOp::create(builder, loc, call.getResults());
  builder.setInsertionPointToEnd(entry);
  cf::CondBranchOp::create(builder, loc, aligned, stream, rest);
}

struct StreamStores : impl::StreamStoresBase<StreamStores> {
  void runOnOperation() override {
    auto all = llvm::to_vector(getOperation().getOps<func::FuncOp>());
    for (func::FuncOp function : all) {
      if (function.isExternal() || !function.isPublic() ||
          !function.getBody().hasOneBlock())
        continue;
      LineStores lines(function);
      if (lines.lines().empty())
        continue;
      SmallVector<Value> buffers(lines.buffers());
      func::FuncOp twin = function.clone();
      twin.setName((function.getName() + "_stream").str());
      twin.setPrivate();
      getOperation().insert(function, twin);
      makeStreaming(LineStores(twin));
      fenceReturns(twin);
      branchTo(twin, function, buffers);
    }
  }
};

} // namespace
} // namespace boo::compiler
