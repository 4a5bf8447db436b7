//===- ConvertToLLVM.cpp - boo.arg and boo.tile_range as loads ------------===//
//
// The struct layouts are those of abi/KernelAbi.h: every field is 8 bytes wide.
//
//===----------------------------------------------------------------------===//

#include "boo/abi/KernelAbi.h"
#include "boo/compiler/dialect/BooDialect.h"

#include "mlir/Conversion/LLVMCommon/MemRefBuilder.h"
#include "mlir/Conversion/LLVMCommon/Pattern.h"

#include <cstddef>
#include <limits>

using namespace mlir;
using namespace boo::compiler;

namespace {

Value loadField(OpBuilder &builder, Location loc, Value base, int64_t bytes,
                Type type) {
  Value address = LLVM::GEPOp::create(
      builder, loc, base.getType(), builder.getI8Type(), base,
      ArrayRef<LLVM::GEPArg>{int32_t(bytes)}, LLVM::GEPNoWrapFlags::inbounds);
  // Nobody writes to the structs during a launch, so the loads may move.
  return LLVM::LoadOp::create(builder, loc, type, address, /*alignment=*/8,
                              /*isVolatile=*/false, /*isNonTemporal=*/false,
                              /*isInvariant=*/true);
}

int64_t fieldOffset(ArgField field) {
  switch (field) {
  case ArgField::In:
    return offsetof(boo_args, in);
  case ArgField::Out:
    return offsetof(boo_args, out);
  case ArgField::Constants:
    return offsetof(boo_args, constants);
  case ArgField::Workspace:
    return offsetof(boo_args, workspace);
  case ArgField::Scratch:
    return offsetof(boo_tile, scratch);
  }
  llvm_unreachable("all fields are listed");
}

struct ArgLowering : ConvertOpToLLVMPattern<ArgOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;

  LogicalResult
  matchAndRewrite(ArgOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    Type ptr = LLVM::LLVMPointerType::get(op.getContext());
    Value buffer = loadField(rewriter, loc, adaptor.getBase(),
                             fieldOffset(op.getField()), ptr);
    int64_t slot = op.getSlot();
    if (op.getField() == ArgField::In || op.getField() == ArgField::Out)
      buffer = loadField(rewriter, loc, buffer, slot * 8, ptr);
    else if (slot != 0)
      // A value: constant indices of a GEP hold 32 bits only.
      buffer = LLVM::GEPOp::create(
          rewriter, loc, ptr, rewriter.getI8Type(), buffer,
          ArrayRef<LLVM::GEPArg>{Value(LLVM::ConstantOp::create(
              rewriter, loc, rewriter.getI64IntegerAttr(slot)))});
    auto descriptor = MemRefDescriptor::poison(
        rewriter, loc,
        getTypeConverter()->convertType(op.getBuffer().getType()));
    descriptor.setAllocatedPtr(rewriter, loc, buffer);
    descriptor.setAlignedPtr(rewriter, loc, buffer);
    descriptor.setConstantOffset(rewriter, loc, 0);
    descriptor.setConstantSize(rewriter, loc, 0,
                               std::numeric_limits<int64_t>::max());
    descriptor.setConstantStride(rewriter, loc, 0, 1);
    rewriter.replaceOp(op, Value(descriptor));
    return success();
  }
};

struct TileRangeLowering : ConvertOpToLLVMPattern<TileRangeOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;

  LogicalResult
  matchAndRewrite(TileRangeOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Type index = getTypeConverter()->getIndexType();
    Value begin = loadField(rewriter, op.getLoc(), adaptor.getTile(),
                            offsetof(boo_tile, begin), index);
    Value end = loadField(rewriter, op.getLoc(), adaptor.getTile(),
                          offsetof(boo_tile, end), index);
    rewriter.replaceOp(op, {begin, end});
    return success();
  }
};

struct ConvertBooToLLVM : ConvertToLLVMPatternInterface {
  using ConvertToLLVMPatternInterface::ConvertToLLVMPatternInterface;

  void populateConvertToLLVMConversionPatterns(
      ConversionTarget &target, LLVMTypeConverter &typeConverter,
      RewritePatternSet &patterns) const override {
    patterns.add<ArgLowering, TileRangeLowering>(typeConverter);
  }
};

} // namespace

void boo::compiler::registerConvertBooToLLVMInterface(
    DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *, BooDialect *dialect) {
    dialect->addInterfaces<ConvertBooToLLVM>();
  });
}
