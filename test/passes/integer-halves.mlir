// RUN: %boo-opt %s --boo-integer-halves --split-input-file --verify-diagnostics | FileCheck %s

// CHECK-LABEL: func.func @scalars(%arg0: memref<?xi16>, %arg1: memref<?xi16>, %arg2: index)
// CHECK: %[[BITS:.*]] = memref.load %arg0[%arg2] : memref<?xi16>
// CHECK: %[[X:.*]] = arith.bitcast %[[BITS]] : i16 to bf16
// CHECK: %[[Y:.*]] = arith.negf %[[X]] : bf16
// CHECK: %[[BITS:.*]] = arith.bitcast %[[Y]] : bf16 to i16
// CHECK: memref.store %[[BITS]], %arg1[%arg2] : memref<?xi16>
func.func @scalars(%x: memref<?xbf16>, %y: memref<?xbf16>, %i: index) {
  %0 = memref.load %x[%i] : memref<?xbf16>
  %1 = arith.negf %0 : bf16
  memref.store %1, %y[%i] : memref<?xbf16>
  return
}

// Scalars enter vectors as integers, through views and constants alike.
// CHECK: memref.global "private" constant @table : memref<2xi16> = dense<[15360, -16384]>
memref.global "private" constant @table : memref<2xf16> = dense<[1.0, -2.0]>
// CHECK-LABEL: func.func @vectors
// CHECK: memref.get_global @table : memref<2xi16>
// CHECK: memref.subview {{.*}} to memref<1xi16, strided<[1], offset: 1>>
// CHECK: %[[S:.*]] = memref.load {{.*}} : memref<1xi16
// CHECK: vector.broadcast {{.*}} : i16 to vector<8xi16>
// CHECK: vector.load {{.*}} : memref<8xi16>, vector<8xi16>
// CHECK: vector.store {{.*}} : memref<8xi16>, vector<8xi16>
func.func @vectors(%x: memref<8xf16>) {
  %c0 = arith.constant 0 : index
  %0 = memref.get_global @table : memref<2xf16>
  %1 = memref.subview %0[1] [1] [1] : memref<2xf16> to memref<1xf16, strided<[1], offset: 1>>
  %2 = memref.load %1[%c0] : memref<1xf16, strided<[1], offset: 1>>
  %3 = vector.broadcast %2 : f16 to vector<8xf16>
  %4 = vector.load %x[%c0] : memref<8xf16>, vector<8xf16>
  %5 = arith.addf %3, %4 : vector<8xf16>
  vector.store %5, %x[%c0] : memref<8xf16>, vector<8xf16>
  return
}

// Does not touch wider floats, nor values that are in no memory.
// CHECK-LABEL: func.func @others
// CHECK-NOT: bitcast
// CHECK-NOT: i16
// CHECK: return
func.func @others(%x: memref<8xf32>, %y: bf16) -> bf16 {
  %c0 = arith.constant 0 : index
  %0 = memref.load %x[%c0] : memref<8xf32>
  memref.store %0, %x[%c0] : memref<8xf32>
  %1 = arith.addf %y, %y : bf16
  return %1 : bf16
}

// -----

func.func @refused(%x: memref<8xbf16>, %y: bf16) {
  %c0 = arith.constant 0 : index
  // expected-error@+1 {{reads or writes floats of 16 bits}}
  %0 = memref.atomic_rmw addf %y, %x[%c0] : (bf16, memref<8xbf16>) -> bf16
  return
}
