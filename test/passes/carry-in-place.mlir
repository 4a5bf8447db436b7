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
