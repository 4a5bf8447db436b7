// RUN: %boo-opt %s --boo-expand-float-conversions --split-input-file --verify-diagnostics | FileCheck %s --check-prefixes=CHECK,HARD
// RUN: %boo-opt %s --boo-expand-float-conversions=hardware-f16=false --split-input-file --verify-diagnostics | FileCheck %s --check-prefixes=CHECK,SOFT
// RUN: %boo-opt %s --boo-expand-float-conversions=flushing-bf16 --split-input-file --verify-diagnostics | FileCheck %s --check-prefix=FLUSH

// FLUSH-LABEL: @f32_to_bf16
// FLUSH: llvm.call_intrinsic "llvm.x86.avx512bf16.cvtneps2bf16.512"(%arg0) : (vector<16xf32>) -> vector<16xbf16>

// CHECK-LABEL: @bf16_to_f32
// CHECK: %[[BITS:.*]] = arith.bitcast %{{.*}} : bf16 to i16
// CHECK: %[[WIDE:.*]] = arith.extui %[[BITS]] : i16 to i32
// CHECK: %[[UPPER:.*]] = arith.shli %[[WIDE]], %{{.*}} : i32
// CHECK: arith.bitcast %[[UPPER]] : i32 to f32
func.func @bf16_to_f32(%x: bf16) -> f32 {
  %y = arith.extf %x : bf16 to f32
  return %y : f32
}

// CHECK-LABEL: @bf16_to_f64
// CHECK-NOT: bf16 to f
// CHECK: arith.extf %{{.*}} : vector<8xf32> to vector<8xf64>
func.func @bf16_to_f64(%x: vector<8xbf16>) -> vector<8xf64> {
  %y = arith.extf %x : vector<8xbf16> to vector<8xf64>
  return %y : vector<8xf64>
}

// CHECK-LABEL: @f32_to_bf16
// CHECK-NOT: truncf
// CHECK-DAG: %[[NAN:.*]] = arith.cmpf uno
// CHECK: arith.select %[[NAN]]
// CHECK: arith.trunci %{{.*}} : vector<16xi32> to vector<16xi16>
// CHECK: arith.bitcast %{{.*}} : vector<16xi16> to vector<16xbf16>
func.func @f32_to_bf16(%x: vector<16xf32>) -> vector<16xbf16> {
  %y = arith.truncf %x : vector<16xf32> to vector<16xbf16>
  return %y : vector<16xbf16>
}

// From f64 by way of an f32 rounded to odd, not to nearest.
// CHECK-LABEL: @f64_to_bf16
// CHECK: %[[NEAREST:.*]] = arith.truncf %{{.*}} : f64 to f32
// CHECK: %[[BACK:.*]] = arith.extf %[[NEAREST]] : f32 to f64
// CHECK: arith.cmpf one, %[[BACK]]
// CHECK-NOT: truncf
// CHECK: arith.bitcast %{{.*}} : i16 to bf16
func.func @f64_to_bf16(%x: f64) -> bf16 {
  %y = arith.truncf %x : f64 to bf16
  return %y : bf16
}

// CHECK-LABEL: @f32_to_f16
// HARD: arith.truncf %{{.*}} : f32 to f16
// SOFT-NOT: truncf
// SOFT: arith.bitcast %{{.*}} : i16 to f16
func.func @f32_to_f16(%x: f32) -> f16 {
  %y = arith.truncf %x : f32 to f16
  return %y : f16
}

// CHECK-LABEL: @f16_to_f32
// HARD: arith.extf %{{.*}} : f16 to f32
// SOFT-NOT: extf
// SOFT: arith.bitcast %{{.*}} : i32 to f32
func.func @f16_to_f32(%x: f16) -> f32 {
  %y = arith.extf %x : f16 to f32
  return %y : f32
}

// CHECK-LABEL: @f64_to_f16
// CHECK: arith.cmpf one
// CHECK-NOT: f64 to f16
// HARD: arith.truncf %{{.*}} : f32 to f16
// SOFT: arith.bitcast %{{.*}} : i16 to f16
func.func @f64_to_f16(%x: f64) -> f16 {
  %y = arith.truncf %x : f64 to f16
  return %y : f16
}

// Does not touch what every target does in one instruction.
// CHECK-LABEL: @stays
// CHECK: arith.truncf %{{.*}} : f64 to f32
// CHECK: arith.extf %{{.*}} : f32 to f64
func.func @stays(%x: f64) -> f64 {
  %y = arith.truncf %x : f64 to f32
  %z = arith.extf %y : f32 to f64
  return %z : f64
}

// -----

func.func @refuses_rounding(%x: f32) -> bf16 {
  // expected-error@+1 {{no expansion from 'f32' to 'bf16' in this rounding mode}}
  %y = arith.truncf %x toward_zero : f32 to bf16
  return %y : bf16
}

// -----

func.func @refuses_f8(%x: f8E4M3FN) -> f32 {
  // expected-error@+1 {{no expansion from 'f8E4M3FN' to 'f32'}}
  %y = arith.extf %x : f8E4M3FN to f32
  return %y : f32
}
