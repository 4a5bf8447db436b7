// RUN: %boo-opt %s --boo-expand-math --split-input-file --verify-diagnostics | FileCheck %s --check-prefixes=CHECK,FMA
// RUN: %boo-opt %s --boo-expand-math=fma=false --split-input-file --verify-diagnostics | FileCheck %s --check-prefixes=CHECK,TWO

// CHECK-LABEL: @exp
// CHECK-NOT: math.exp
// FMA: math.fma
// TWO-NOT: math.fma
// TWO: arith.mulf
// 2^n in two factors, so that subnormal results round once.
// CHECK: arith.shli
// CHECK: arith.mulf
// CHECK: arith.shli
// CHECK: arith.mulf
// CHECK-NEXT: return
func.func @exp(%x: f32) -> f32 {
  %y = math.exp %x : f32
  return %y : f32
}

// CHECK-LABEL: @expm1
// CHECK-NOT: math.expm1
// A zero keeps its sign.
// CHECK: %[[ZERO:.*]] = arith.cmpf oeq, %arg0, %{{.*}} : vector<4xf64>
// CHECK: arith.select %[[ZERO]], %arg0
func.func @expm1(%x: vector<4xf64>) -> vector<4xf64> {
  %y = math.expm1 %x : vector<4xf64>
  return %y : vector<4xf64>
}

// CHECK-LABEL: @log
// CHECK-NOT: math.log
// CHECK-DAG: arith.constant dense<0x7FC00000> : vector<16xf32>
// CHECK-DAG: arith.constant dense<0xFF800000> : vector<16xf32>
// CHECK: return
func.func @log(%x: vector<16xf32>) -> vector<16xf32> {
  %y = math.log %x : vector<16xf32>
  return %y : vector<16xf32>
}

// CHECK-LABEL: @log1p
// CHECK-NOT: math.log1p
// CHECK: return
func.func @log1p(%x: f64) -> f64 {
  %y = math.log1p %x : f64
  return %y : f64
}

// CHECK-LABEL: @tanh
// CHECK-NOT: math.tanh
// CHECK: math.copysign %{{.*}}, %arg0
func.func @tanh(%x: f32) -> f32 {
  %y = math.tanh %x : f32
  return %y : f32
}

// CHECK-LABEL: @erf
// CHECK-NOT: math.erf
// CHECK: math.copysign %{{.*}}, %arg0
func.func @erf(%x: vector<8xf64>) -> vector<8xf64> {
  %y = math.erf %x : vector<8xf64>
  return %y : vector<8xf64>
}

// Does not touch what is an instruction.
// CHECK-LABEL: @stays
// CHECK-NEXT: math.absf
// CHECK-NEXT: math.sqrt
// CHECK-NEXT: return
func.func @stays(%x: vector<4xf32>) -> vector<4xf32> {
  %y = math.absf %x : vector<4xf32>
  %z = math.sqrt %y : vector<4xf32>
  return %z : vector<4xf32>
}

// -----

func.func @refuses_function(%x: f32) -> f32 {
  // expected-error@+1 {{math.sin on 'f32' has no expansion and would call a library}}
  %y = math.sin %x : f32
  return %y : f32
}

// -----

func.func @refuses_type(%x: f16) -> f16 {
  // expected-error@+1 {{math.exp on 'f16' has no expansion and would call a library}}
  %y = math.exp %x : f16
  return %y : f16
}
