//===- Passes.td - BOO's passes, in alphabetical order ---------*- tablegen -*-===//
#ifndef BOO_PASSES_TD
#define BOO_PASSES_TD

include "mlir/Pass/PassBase.td"

def CheckLowered : Pass<"boo-check-lowered", "mlir::ModuleOp"> {
  let summary = "Name every op that did not reach the LLVM dialect";
  let description = [{
    `convert-to-llvm` is partial: what it cannot lower stays, and only the
    translation fails, without a name. This pass fails at the first op outside
    the builtin and llvm dialects and says which one it is.
  }];
}

def LowerBrgemm : Pass<"boo-lower-brgemm", "mlir::func::FuncOp"> {
  let summary = "Turn register tiles into vector code";
  let description = [{
    Each boo.brgemm becomes its batch and k loops, with m x ceil(n / lanes)
    vectors of accumulators carried by them, and a vector copy of its tail. The
    last vector of n is masked where it reads or writes an operand that is not
    padded. `vector-bits` is the width of a register; without `fma`, products
    and sums are separate instructions.
  }];
  let options = [
    Option<"vectorBits", "vector-bits", "int64_t", "512", "Bits of a vector">,
    Option<"fma", "fma", "bool", "true", "Use fused multiply-add">];
  let dependentDialects = ["mlir::arith::ArithDialect", "mlir::scf::SCFDialect",
                           "mlir::memref::MemRefDialect",
                           "mlir::vector::VectorDialect"];
}

#endif // BOO_PASSES_TD
