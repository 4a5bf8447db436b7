// RUN: %boo-opt %s --boo-stream-stores | FileCheck %s

// Offsets that are multiples of a line: the twin streams, behind a look at the
// address.
// CHECK-LABEL: func.func private @boo_dispatch_0_stream
// CHECK: scf.for
// CHECK: vector.store %{{.*}}, %{{.*}}[%{{.*}}] {alignment = 64 : i64, nontemporal = true} : memref<?xf32>, vector<16xf32>
// CHECK: vector.maskedstore
// CHECK: llvm.call_intrinsic "llvm.x86.sse.sfence"
// CHECK: return
// CHECK-LABEL: func.func @boo_dispatch_0(
// CHECK: %[[OUT:.*]] = boo.arg %arg0 out 0 : memref<?xf32>
// CHECK: %[[AT:.*]] = memref.extract_aligned_pointer_as_index %[[OUT]]
// CHECK: %[[BITS:.*]] = arith.andi %[[AT]], %{{.*}} : index
// CHECK: %[[ON:.*]] = arith.cmpi eq, %[[BITS]]
// CHECK: cf.cond_br %[[ON]], ^bb1, ^bb2
// CHECK: call @boo_dispatch_0_stream(%arg0, %arg1)
// CHECK-NOT: nontemporal
// CHECK: vector.store
func.func @boo_dispatch_0(%args: !llvm.ptr, %tile: !llvm.ptr) -> i32 {
  %c0 = arith.constant 0 : index
  %c16 = arith.constant 16 : index
  %c160 = arith.constant 160 : index
  %zero = arith.constant 0 : i32
  %v = arith.constant dense<1.0> : vector<16xf32>
  %mask = arith.constant dense<true> : vector<16xi1>
  %out = boo.arg %args out 0 : memref<?xf32>
  %begin, %end = boo.tile_range %tile
  %base = arith.muli %begin, %c160 : index
  scf.for %i = %c0 to %c160 step %c16 {
    %at = arith.addi %base, %i : index
    vector.store %v, %out[%at] : memref<?xf32>, vector<16xf32>
    vector.maskedstore %out[%at], %mask, %v : memref<?xf32>, vector<16xi1>, vector<16xf32>
  }
  return %zero : i32
}

// Two halves of a line become one store, where the last of them was; a minimum
// keeps what divides both. Half of another line stays.
// CHECK-LABEL: func.func private @boo_dispatch_1_stream
// CHECK: %[[BASE:.*]] = arith.minsi
// CHECK-NOT: vector.store
// CHECK: %[[LINE:.*]] = vector.shuffle %{{.*}}, %{{.*}} [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]
// CHECK: vector.store %[[LINE]], %{{.*}}[%[[BASE]]] {alignment = 64 : i64, nontemporal = true} : memref<?xf32>, vector<16xf32>
// CHECK: vector.store {{.*}} : memref<?xf32>, vector<8xf32>
// CHECK-NOT: nontemporal
// CHECK-LABEL: func.func @boo_dispatch_1(
func.func @boo_dispatch_1(%args: !llvm.ptr, %tile: !llvm.ptr) -> i32 {
  %c8 = arith.constant 8 : index
  %c16 = arith.constant 16 : index
  %c32 = arith.constant 32 : index
  %zero = arith.constant 0 : i32
  %v = arith.constant dense<1.0> : vector<8xf32>
  %out = boo.arg %args out 0 : memref<?xf32>
  %begin, %end = boo.tile_range %tile
  %first = arith.muli %begin, %c16 : index
  %base = arith.minsi %first, %c32 : index
  %next = arith.addi %base, %c8 : index
  %far = arith.addi %base, %c16 : index
  vector.store %v, %out[%base] : memref<?xf32>, vector<8xf32>
  vector.store %v, %out[%next] : memref<?xf32>, vector<8xf32>
  vector.store %v, %out[%far] : memref<?xf32>, vector<8xf32>
  return %zero : i32
}

// A function of which nothing is known to be on a line has no twin: an offset
// of odd multiples, a store to scratch, half of a line.
// CHECK-NOT: boo_dispatch_2_stream
// CHECK-LABEL: func.func @boo_dispatch_2(
// CHECK-NOT: nontemporal
func.func @boo_dispatch_2(%args: !llvm.ptr, %tile: !llvm.ptr) -> i32 {
  %c24 = arith.constant 24 : index
  %c32 = arith.constant 32 : index
  %zero = arith.constant 0 : i32
  %v = arith.constant dense<1.0> : vector<16xf32>
  %h = arith.constant dense<1.0> : vector<8xf32>
  %out = boo.arg %args out 0 : memref<?xf32>
  %scratch = boo.arg %tile scratch 0 : memref<?xf32>
  %begin, %end = boo.tile_range %tile
  %odd = arith.muli %begin, %c24 : index
  %even = arith.muli %begin, %c32 : index
  vector.store %v, %out[%odd] : memref<?xf32>, vector<16xf32>
  vector.store %v, %scratch[%even] : memref<?xf32>, vector<16xf32>
  vector.store %h, %out[%even] : memref<?xf32>, vector<8xf32>
  return %zero : i32
}
