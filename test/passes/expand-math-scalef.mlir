// RUN: %boo-opt %s --boo-expand-math=scalef=true | FileCheck %s

// Whole registers are scaled by one instruction, with one rounding.
// CHECK-LABEL: @whole
// CHECK: llvm.call_intrinsic "llvm.x86.avx512.mask.scalef.ps.512"
// CHECK-NOT: arith.shli
// CHECK: return
func.func @whole(%x: vector<16xf32>) -> vector<16xf32> {
  %y = math.exp %x : vector<16xf32>
  return %y : vector<16xf32>
}

// CHECK-LABEL: @part
// CHECK-NOT: scalef
// CHECK: return
func.func @part(%x: vector<8xf32>) -> vector<8xf32> {
  %y = math.exp %x : vector<8xf32>
  return %y : vector<8xf32>
}
