//===- KernelBuilder.cpp --------------------------------------------------===//

#include "boo/compiler/kernels/KernelBuilder.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;

namespace boo::compiler {

KernelBuilder::KernelBuilder(ModuleOp module)
    : Builder(module.getContext()), Module(module),
      Loc(UnknownLoc::get(module.getContext())) {}

Type KernelBuilder::type(DType dtype) {
  switch (dtype) {
  case DType::F64:
    return Builder.getF64Type();
  case DType::F32:
    return Builder.getF32Type();
  case DType::F16:
    return Builder.getF16Type();
  case DType::BF16:
    return Builder.getBF16Type();
  case DType::I64:
    return Builder.getI64Type();
  case DType::I32:
    return Builder.getI32Type();
  case DType::I8:
  case DType::I1:
    return Builder.getI8Type();
  }
  llvm_unreachable("all types are listed");
}

void KernelBuilder::dispatch(int64_t number,
                             const std::function<void(Value)> &body,
                             std::optional<int64_t> tiles) {
  Builder.setInsertionPointToEnd(Module.getBody());
  Type ptr = LLVM::LLVMPointerType::get(Builder.getContext());
  auto function = func::FuncOp::create(
      Builder, Loc, "boo_dispatch_" + std::to_string(number),
      Builder.getFunctionType({ptr, ptr}, Builder.getI32Type()));
  Entry = function.addEntryBlock();
  Constants.clear();
  Buffers.clear();
  Args = Entry->getArgument(0);
  Tile = Entry->getArgument(1);
  Builder.setInsertionPointToStart(Entry);
  auto range = TileRangeOp::create(Builder, Loc, Builder.getIndexType(),
                                   Builder.getIndexType(), Tile);
  loop(range.getBegin(), range.getEnd(), 1, [&](Value tile) {
    if (tiles)
      loop(index(0), index(*tiles), 1, body);
    else
      body(tile);
  });
  Value zero =
      arith::ConstantOp::create(Builder, Loc, Builder.getI32IntegerAttr(0));
  func::ReturnOp::create(Builder, Loc, zero);
}

Value KernelBuilder::buffer(ArgField field, int64_t slot, Type element) {
  Value &known = Buffers[{int(field), slot, element.getAsOpaquePointer()}];
  if (known)
    return known;
  // At the function's start: every tile of the range shares it.
  OpBuilder::InsertionGuard guard(Builder);
  Builder.setInsertionPointToStart(Entry);
  auto memref = MemRefType::get({ShapedType::kDynamic}, element);
  known = ArgOp::create(Builder, Loc, memref,
                        field == ArgField::Scratch ? Tile : Args, field,
                        uint64_t(slot));
  return known;
}

Value KernelBuilder::index(int64_t value) {
  Value &known = Constants[value];
  if (known)
    return known;
  OpBuilder::InsertionGuard guard(Builder);
  Builder.setInsertionPointToStart(Entry);
  known = arith::ConstantIndexOp::create(Builder, Loc, value);
  return known;
}
Value KernelBuilder::add(Value a, Value b) {
  return Builder.createOrFold<arith::AddIOp>(Loc, a, b,
                                             arith::IntegerOverflowFlags::nsw);
}
Value KernelBuilder::sub(Value a, Value b) {
  return Builder.createOrFold<arith::SubIOp>(Loc, a, b,
                                             arith::IntegerOverflowFlags::nsw);
}
Value KernelBuilder::mul(Value a, int64_t b) {
  return Builder.createOrFold<arith::MulIOp>(Loc, a, index(b),
                                             arith::IntegerOverflowFlags::nsw);
}
Value KernelBuilder::min(Value a, Value b) {
  return Builder.createOrFold<arith::MinSIOp>(Loc, a, b);
}
Value KernelBuilder::max(Value a, Value b) {
  return Builder.createOrFold<arith::MaxSIOp>(Loc, a, b);
}
Value KernelBuilder::ceilDiv(Value a, int64_t b) {
  if (b == 1)
    return a;
  return Builder.createOrFold<arith::FloorDivSIOp>(Loc, add(a, b - 1),
                                                   index(b));
}
Value KernelBuilder::equal(Value a, int64_t b) {
  return Builder.createOrFold<arith::CmpIOp>(Loc, arith::CmpIPredicate::eq, a,
                                             index(b));
}

std::vector<Value>
KernelBuilder::delinearize(Value linear, const std::vector<int64_t> &sizes) {
  std::vector<Value> coordinates(sizes.size());
  for (size_t i = sizes.size(); i-- > 0;) {
    if (sizes[i] == 1) {
      coordinates[i] = index(0);
      continue;
    }
    bool outermost = true;
    for (size_t j = 0; j != i; ++j)
      outermost &= sizes[j] == 1;
    if (outermost) {
      coordinates[i] = linear;
      continue;
    }
    coordinates[i] =
        Builder.createOrFold<arith::RemUIOp>(Loc, linear, index(sizes[i]));
    linear = Builder.createOrFold<arith::DivUIOp>(Loc, linear, index(sizes[i]));
  }
  return coordinates;
}

void KernelBuilder::loop(Value from, Value to, int64_t step,
                         const std::function<void(Value)> &body) {
  APInt low, high;
  if (matchPattern(from, m_ConstantInt(&low)) &&
      matchPattern(to, m_ConstantInt(&high))) {
    int64_t count = high.getSExtValue() - low.getSExtValue();
    if (count <= 0)
      return;
    if (count <= step)
      return body(from);
  }
  auto loop = scf::ForOp::create(Builder, Loc, from, to, index(step));
  OpBuilder::InsertionGuard guard(Builder);
  Builder.setInsertionPointToStart(loop.getBody());
  body(loop.getInductionVar());
}

void KernelBuilder::loopPieces(
    int64_t count, int64_t step,
    const std::function<void(Value, int64_t)> &body) {
  int64_t whole = count / step * step;
  loop(index(0), index(whole), step, [&](Value first) { body(first, step); });
  if (whole != count)
    body(index(whole), count - whole);
}

void KernelBuilder::ifThen(Value condition, const std::function<void()> &then,
                           const std::function<void()> &otherwise) {
  if (matchPattern(condition, m_One()))
    return then();
  if (matchPattern(condition, m_Zero())) {
    if (otherwise)
      otherwise();
    return;
  }
  auto branch = scf::IfOp::create(Builder, Loc, condition, bool(otherwise));
  OpBuilder::InsertionGuard guard(Builder);
  Builder.setInsertionPointToStart(&branch.getThenRegion().front());
  then();
  if (!otherwise)
    return;
  Builder.setInsertionPointToStart(&branch.getElseRegion().front());
  otherwise();
}

Value KernelBuilder::load(Value buffer, Value at) {
  return memref::LoadOp::create(Builder, Loc, buffer, at);
}
void KernelBuilder::prefetch(Value buffer, Value at, int level) {
  memref::PrefetchOp::create(Builder, Loc, buffer, at, /*isWrite=*/false,
                             /*localityHint=*/4 - level, /*isDataCache=*/true);
}

void KernelBuilder::store(Value value, Value buffer, Value at) {
  memref::StoreOp::create(Builder, Loc, value, buffer, at);
}

Value KernelBuilder::convert(Value value, Type element) {
  Type from = getElementTypeOrSelf(value.getType());
  if (from == element)
    return value;
  Type to = element;
  if (auto vector = dyn_cast<VectorType>(value.getType()))
    to = vector.clone(element);
  unsigned fromBits = from.getIntOrFloatBitWidth();
  unsigned toBits = element.getIntOrFloatBitWidth();
  if (fromBits < toBits)
    return arith::ExtFOp::create(Builder, Loc, to, value);
  if (fromBits > toBits)
    return arith::TruncFOp::create(Builder, Loc, to, value);
  // Between f16 and bf16 the way leads through f32.
  return convert(convert(value, Builder.getF32Type()), element);
}

} // namespace boo::compiler
