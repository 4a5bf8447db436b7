// RUN: %boo-opt %s --boo-lower-vectors | FileCheck %s

// CHECK-LABEL: @rows
// CHECK-COUNT-2: vector.load {{.*}} vector<8xf32>
// CHECK-COUNT-2: vector.store {{.*}} vector<8xf32>
// CHECK-NOT: transfer
func.func @rows(%x: memref<8x8xf32>, %y: memref<8x8xf32>, %i: index) {
  %pad = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  %0 = vector.transfer_read %x[%i, %c0], %pad {in_bounds = [true, true]}
      : memref<8x8xf32>, vector<2x8xf32>
  vector.transfer_write %0, %y[%i, %c0] {in_bounds = [true, true]}
      : vector<2x8xf32>, memref<8x8xf32>
  return
}

// What may lie outside of the memory is masked.
// CHECK-LABEL: @rest
// CHECK: vector.maskedload
func.func @rest(%x: memref<?xf32>, %i: index) -> vector<8xf32> {
  %pad = arith.constant 0.0 : f32
  %0 = vector.transfer_read %x[%i], %pad : memref<?xf32>, vector<8xf32>
  return %0 : vector<8xf32>
}

// CHECK-LABEL: @product
// CHECK-COUNT-6: vector.fma {{.*}} vector<4xf32>
// CHECK-NOT: vector.contract
func.func @product(%a: vector<2x3xf32>, %b: vector<3x4xf32>, %c: vector<2x4xf32>)
    -> vector<2x4xf32> {
  %0 = vector.contract {
      indexing_maps = [affine_map<(m, n, k) -> (m, k)>,
                       affine_map<(m, n, k) -> (k, n)>,
                       affine_map<(m, n, k) -> (m, n)>],
      iterator_types = ["parallel", "parallel", "reduction"]} %a, %b, %c
      : vector<2x3xf32>, vector<3x4xf32> into vector<2x4xf32>
  return %0 : vector<2x4xf32>
}
