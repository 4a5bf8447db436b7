// A long tail is not copied for each of the tile's vectors.
// RUN: %boo-opt %s --boo-lower-brgemm=vector-bits=512 --canonicalize --split-input-file | FileCheck %s

// It becomes a loop through the stack, outside of the loop over k; a result of
// the sums' type takes their place.
// CHECK-LABEL: @long
// CHECK: %[[SUMS:.*]] = memref.alloca() {{.*}} : memref<64xf32>
// CHECK: scf.for {{.*}} -> (vector<16xf32>, vector<16xf32>, vector<16xf32>, vector<16xf32>)
// CHECK-NOT: memref.alloca
// CHECK-COUNT-4: vector.store {{.*}}, %[[SUMS]]
// CHECK: scf.for
// CHECK-NEXT: %[[SUM:.*]] = vector.load %[[SUMS]]
// CHECK-NEXT: %[[RESULT:.*]] = math.erf %[[SUM]] : vector<16xf32>
// CHECK-NEXT: vector.store %[[RESULT]], %[[SUMS]]
// CHECK-NOT: math.erf
// CHECK-COUNT-4: vector.store {{.*}}, %arg2
func.func @long(%a: memref<?xf32>, %b: memref<?xf32>, %c: memref<?xf32>) {
  %0 = arith.constant 0 : index
  boo.brgemm a(%a[%0]) b(%b[%0]) c(%c[%0])
      {m = 2, n = 32, k = 8, a_strides = array<i64: 8, 0, 1>,
       b_strides = array<i64: 1, 32>, c_strides = array<i64: 32, 1>,
       tail_strides = array<i64>}
      : memref<?xf32>, memref<?xf32>, memref<?xf32> {
  ^bb0(%acc: f32):
    %e = math.erf %acc : f32
    boo.yield %e : f32
  }
  return
}

// -----

// Tiles share the buffers, which take the size of the largest; a tail operand
// and a result of another type have their own.
// CHECK-LABEL: @shared
// CHECK-DAG: memref.alloca() {{.*}} : memref<64xf32>
// CHECK-DAG: memref.alloca() {{.*}} : memref<64xf32>
// CHECK-DAG: memref.alloca() {{.*}} : memref<64xbf16>
// CHECK-NOT: memref.alloca
// CHECK: return
func.func @shared(%a: memref<?xf32>, %b: memref<?xf32>, %c: memref<?xbf16>,
                  %t: memref<?xf32>) {
  %0 = arith.constant 0 : index
  boo.brgemm a(%a[%0]) b(%b[%0]) c(%c[%0]) tail(%t[%0])
      {m = 3, n = 16, k = 1, a_strides = array<i64: 8, 0, 1>,
       b_strides = array<i64: 1, 16>, c_strides = array<i64: 16, 1>,
       tail_strides = array<i64: 16, 1>}
      : memref<?xf32>, memref<?xf32>, memref<?xbf16> (memref<?xf32>) {
  ^bb0(%acc: f32, %u: f32):
    %s = arith.addf %acc, %u : f32
    %e = math.tanh %s : f32
    %r = arith.truncf %e : f32 to bf16
    boo.yield %r : bf16
  }
  boo.brgemm a(%a[%0]) b(%b[%0]) c(%c[%0]) tail(%t[%0])
      {m = 4, n = 16, k = 1, a_strides = array<i64: 8, 0, 1>,
       b_strides = array<i64: 1, 16>, c_strides = array<i64: 16, 1>,
       tail_strides = array<i64: 16, 1>}
      : memref<?xf32>, memref<?xf32>, memref<?xbf16> (memref<?xf32>) {
  ^bb0(%acc: f32, %u: f32):
    %s = arith.addf %acc, %u : f32
    %e = math.tanh %s : f32
    %r = arith.truncf %e : f32 to bf16
    boo.yield %r : bf16
  }
  return
}

// -----

// A short tail is copied, and so is any tail of a tile of one or two vectors.
// CHECK-LABEL: @short
// CHECK-NOT: memref.alloca
// CHECK-COUNT-4: math.absf
// CHECK-COUNT-2: math.erf
// CHECK: return
func.func @short(%a: memref<?xf32>, %b: memref<?xf32>, %c: memref<?xf32>) {
  %0 = arith.constant 0 : index
  boo.brgemm a(%a[%0]) b(%b[%0]) c(%c[%0])
      {m = 4, n = 16, k = 1, a_strides = array<i64: 8, 0, 1>,
       b_strides = array<i64: 1, 16>, c_strides = array<i64: 16, 1>,
       tail_strides = array<i64>}
      : memref<?xf32>, memref<?xf32>, memref<?xf32> {
  ^bb0(%acc: f32):
    %e = math.absf %acc : f32
    boo.yield %e : f32
  }
  boo.brgemm a(%a[%0]) b(%b[%0]) c(%c[%0])
      {m = 2, n = 16, k = 1, a_strides = array<i64: 8, 0, 1>,
       b_strides = array<i64: 1, 16>, c_strides = array<i64: 16, 1>,
       tail_strides = array<i64>}
      : memref<?xf32>, memref<?xf32>, memref<?xf32> {
  ^bb0(%acc: f32):
    %e = math.erf %acc : f32
    boo.yield %e : f32
  }
  return
}
