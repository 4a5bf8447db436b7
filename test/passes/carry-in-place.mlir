// RUN: %boo-opt %s --boo-carry-in-place | FileCheck %s

// CHECK-LABEL: @carried
// CHECK: iter_args(%[[X:.*]] = %arg0, %[[N:.*]] = %arg1, %[[Y:.*]] = %arg0)
// CHECK: %[[NEW:.*]] = arith.negf %[[X]]
// CHECK: %[[PLACED:.*]] = bufferization.materialize_in_destination %[[NEW]] in %[[X]]
// CHECK: scf.yield %[[PLACED]], %{{.*}}, %[[Y]] :
func.func @carried(%x: tensor<4xf32>, %n: index) -> tensor<4xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %0:3 = scf.for %i = %c0 to %n step %c1 iter_args(%a = %x, %b = %n, %c = %x)
      -> (tensor<4xf32>, index, tensor<4xf32>) {
    %1 = arith.negf %a : tensor<4xf32>
    %2 = arith.addi %b, %i : index
    scf.yield %1, %2, %c : tensor<4xf32>, index, tensor<4xf32>
  }
  return %0#0 : tensor<4xf32>
}

// Does nothing to a loop that carries no tensor.
// CHECK-LABEL: @numbers
// CHECK-NOT: materialize
func.func @numbers(%n: index) -> index {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %0 = scf.for %i = %c0 to %n step %c1 iter_args(%a = %n) -> index {
    %1 = arith.addi %a, %i : index
    scf.yield %1 : index
  }
  return %0 : index
}

// A tile of a tiled loop is computed where it lies.
// CHECK-LABEL: @tiled
// CHECK-NOT: materialize
// CHECK: return
func.func @tiled(%x: tensor<8xf32>) -> tensor<8xf32> {
  %c0 = arith.constant 0 : index
  %c4 = arith.constant 4 : index
  %c8 = arith.constant 8 : index
  %0 = scf.for %i = %c0 to %c8 step %c4 iter_args(%a = %x) -> tensor<8xf32> {
    %1 = tensor.extract_slice %a[%i] [4] [1] : tensor<8xf32> to tensor<4xf32>
    %2 = arith.negf %1 : tensor<4xf32>
    %3 = tensor.insert_slice %2 into %a[%i] [4] [1]
        : tensor<4xf32> into tensor<8xf32>
    scf.yield %3 : tensor<8xf32>
  }
  return %0 : tensor<8xf32>
}

// Not so where the old elements are wanted afterwards.
// CHECK-LABEL: @old
// CHECK: materialize
func.func @old(%x: tensor<8xf32>, %y: tensor<4xf32>) -> (tensor<8xf32>, f32) {
  %c0 = arith.constant 0 : index
  %c4 = arith.constant 4 : index
  %c8 = arith.constant 8 : index
  %zero = arith.constant 0.0 : f32
  %0:2 = scf.for %i = %c0 to %c8 step %c4 iter_args(%a = %x, %s = %zero)
      -> (tensor<8xf32>, f32) {
    %1 = tensor.extract_slice %a[%i] [4] [1] : tensor<8xf32> to tensor<4xf32>
    %2 = tensor.insert_slice %y into %a[%i] [4] [1]
        : tensor<4xf32> into tensor<8xf32>
    %3 = tensor.extract %1[%c0] : tensor<4xf32>
    %4 = arith.addf %s, %3 : f32
    scf.yield %2, %4 : tensor<8xf32>, f32
  }
  return %0#0, %0#1 : tensor<8xf32>, f32
}
