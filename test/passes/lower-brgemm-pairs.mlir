// RUN: %boo-opt %s --boo-lower-brgemm=vector-bits=512 --canonicalize --split-input-file --verify-diagnostics | FileCheck %s

// Two steps of k at a time: a pair of A meets a row of pairs of B.
// CHECK-LABEL: @pairs
// CHECK: %[[LOOP:.*]]:2 = scf.for {{.*}} %{{.*}}4 {{.*}} -> (vector<16xf32>, vector<16xf32>)
// CHECK: %[[ROW:.*]] = vector.load {{.*}} vector<32xbf16>
// CHECK: vector.load {{.*}} vector<2xbf16>
// CHECK: vector.broadcast {{.*}} : i32 to vector<16xi32>
// CHECK: %[[PAIR:.*]] = vector.bitcast {{.*}} : vector<16xi32> to vector<32xbf16>
// CHECK: llvm.call_intrinsic "llvm.x86.avx512bf16.dpbf16ps.512"(%{{.*}}, %[[ROW]], %[[PAIR]])
// CHECK-COUNT-2: vector.store
// CHECK-NOT: boo.brgemm
func.func @pairs(%a: memref<?xbf16>, %b: memref<?xbf16>, %c: memref<?xf32>) {
  %0 = arith.constant 0 : index
  boo.brgemm a(%a[%0]) b(%b[%0]) c(%c[%0])
      {m = 2, n = 16, k = 8, a_strides = array<i64: 8, 0, 1>,
       b_strides = array<i64: 1, 32>, c_strides = array<i64: 16, 1>,
       tail_strides = array<i64>}
      : memref<?xbf16>, memref<?xbf16>, memref<?xf32> {
  ^bb0(%acc: f32):
    boo.yield %acc : f32
  }
  return
}

// -----

// After the last whole pair comes one element of A, and a zero: what stands
// behind it is not read.
// CHECK-LABEL: @odd
// CHECK: scf.for
// CHECK: scf.yield
// CHECK: memref.load {{.*}} : memref<?xbf16>
// CHECK-NEXT: arith.bitcast {{.*}} : bf16 to i16
// CHECK-NEXT: arith.extui {{.*}} : i16 to i32
// CHECK: return
func.func @odd(%a: memref<?xbf16>, %b: memref<?xbf16>, %c: memref<?xf32>) {
  %0 = arith.constant 0 : index
  boo.brgemm a(%a[%0]) b(%b[%0]) c(%c[%0])
      {m = 2, n = 16, k = 7, a_strides = array<i64: 8, 0, 1>,
       b_strides = array<i64: 1, 32>, c_strides = array<i64: 16, 1>,
       tail_strides = array<i64>}
      : memref<?xbf16>, memref<?xbf16>, memref<?xf32> {
  ^bb0(%acc: f32):
    boo.yield %acc : f32
  }
  return
}

// -----

// One element makes no pair.
func.func @one(%a: memref<?xbf16>, %b: memref<?xbf16>, %c: memref<?xf32>) {
  %0 = arith.constant 0 : index
  // expected-error@+1 {{requires an A with k contiguous and at least 2 for products in pairs}}
  boo.brgemm a(%a[%0]) b(%b[%0]) c(%c[%0])
      {m = 2, n = 16, k = 1, a_strides = array<i64: 8, 0, 1>,
       b_strides = array<i64: 1, 32>, c_strides = array<i64: 16, 1>,
       tail_strides = array<i64>}
      : memref<?xbf16>, memref<?xbf16>, memref<?xf32> {
  ^bb0(%acc: f32):
    boo.yield %acc : f32
  }
  return
}
