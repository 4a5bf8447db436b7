// RUN: %boo-opt %s --boo-lower-elementwise=vector-bits=256 | FileCheck %s

#same = affine_map<(d0) -> (d0)>
#same2 = affine_map<(d0, d1) -> (d0, d1)>
#row = affine_map<(d0, d1) -> (d1)>
#column = affine_map<(d0, d1) -> (d0)>
#transposed = affine_map<(d0, d1) -> (d1, d0)>
#none = affine_map<(d0) -> ()>

// Vectors, and the four elements that are left.
// CHECK-LABEL: @contiguous
// CHECK-NOT: linalg
// CHECK: %[[WHOLE:.*]] = arith.constant 96 : index
// CHECK: scf.for %[[I:.*]] = %{{.*}} to %[[WHOLE]]
// CHECK: %[[X:.*]] = vector.load %arg0[%[[I]]] : memref<100xf32>, vector<8xf32>
// CHECK: %[[Y:.*]] = arith.negf %[[X]] : vector<8xf32>
// CHECK: vector.store %[[Y]], %arg1[%[[I]]]
// CHECK: scf.for %[[I:.*]] = %[[WHOLE]] to
// CHECK: %[[X:.*]] = memref.load %arg0[%[[I]]]
// CHECK: %[[Y:.*]] = arith.negf %[[X]] : f32
// CHECK: memref.store %[[Y]], %arg1[%[[I]]]
func.func @contiguous(%x: memref<100xf32>, %y: memref<100xf32>) {
  linalg.generic {indexing_maps = [#same, #same], iterator_types = ["parallel"]}
      ins(%x : memref<100xf32>) outs(%y : memref<100xf32>) {
  ^bb0(%a: f32, %b: f32):
    %0 = arith.negf %a : f32
    linalg.yield %0 : f32
  }
  return
}

// A size that comes with the launch is split at run time. The widest type in
// the body, not in memory, tells the lanes.
// CHECK-LABEL: @widest
// CHECK: %[[SIZE:.*]] = memref.dim %arg0
// CHECK: %[[REST:.*]] = arith.remui %[[SIZE]], %{{.*}} : index
// CHECK: %[[WHOLE:.*]] = arith.subi %[[SIZE]], %[[REST]] : index
// CHECK: scf.for {{.*}} to %[[WHOLE]]
// CHECK: vector.load %arg0{{.*}} vector<4xbf16>
// CHECK: arith.extf {{.*}} : vector<4xbf16> to vector<4xf64>
// CHECK: scf.for %{{.*}} = %[[WHOLE]] to %[[SIZE]]
func.func @widest(%x: memref<?xbf16>, %y: memref<?xf64>) {
  linalg.generic {indexing_maps = [#same, #same], iterator_types = ["parallel"]}
      ins(%x : memref<?xbf16>) outs(%y : memref<?xf64>) {
  ^bb0(%a: bf16, %b: f64):
    %0 = arith.extf %a : bf16 to f64
    linalg.yield %0 : f64
  }
  return
}

// What does not change along the vector is loaded ahead of the loop, what lies
// across it lane by lane; values from outside of the body are broadcast.
// CHECK-LABEL: @operands
// CHECK: scf.for %[[I:.*]] =
// CHECK: %[[COLUMN:.*]] = memref.load %arg1[%[[I]]]
// CHECK: scf.for %[[J:.*]] =
// CHECK-DAG: vector.load %arg0[%[[J]]]
// CHECK-DAG: vector.broadcast %[[COLUMN]] : f32 to vector<8xf32>
// CHECK-COUNT-8: memref.load %arg2[%{{.*}}, %[[I]]]
// CHECK: vector.broadcast %arg4 : f32 to vector<8xf32>
// CHECK: vector.store {{.*}}, %arg3[%[[I]], %[[J]]]
// CHECK-NOT: scf.for
// CHECK: return
func.func @operands(%row: memref<16xf32>, %column: memref<4xf32>,
                    %across: memref<16x4xf32>, %y: memref<4x16xf32>, %s: f32) {
  linalg.generic {indexing_maps = [#row, #column, #transposed, #same2],
                  iterator_types = ["parallel", "parallel"]}
      ins(%row, %column, %across : memref<16xf32>, memref<4xf32>, memref<16x4xf32>)
      outs(%y : memref<4x16xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32, %d: f32):
    %0 = arith.addf %a, %b : f32
    %1 = arith.addf %0, %c : f32
    %2 = arith.mulf %1, %s : f32
    linalg.yield %2 : f32
  }
  return
}

// A fill and a copy are elementwise too, and need no runtime library.
// CHECK-LABEL: @fill_and_copy
// CHECK: vector.broadcast %arg0 : f32 to vector<8xf32>
// CHECK: vector.load %arg1
// CHECK-NOT: memref.copy
// CHECK: return
func.func @fill_and_copy(%s: f32, %x: memref<8xf32>,
                         %y: memref<8xf32, strided<[1], offset: ?>>) {
  linalg.fill ins(%s : f32) outs(%x : memref<8xf32>)
  memref.copy %x, %y : memref<8xf32> to memref<8xf32, strided<[1], offset: ?>>
  return
}

// Does not use vectors: the output has gaps; too few elements; i1 in memory is
// a byte, in a vector a bit.
// CHECK-LABEL: @scalars
// CHECK-NOT: vector
// CHECK-NOT: linalg
// CHECK: return
func.func @scalars(%x: memref<100xf32>, %gaps: memref<100xf32, strided<[2]>>,
                   %few: memref<7xf32>, %bits: memref<100xi1>) {
  linalg.generic {indexing_maps = [#same, #same], iterator_types = ["parallel"]}
      ins(%x : memref<100xf32>) outs(%gaps : memref<100xf32, strided<[2]>>) {
  ^bb0(%a: f32, %b: f32):
    linalg.yield %a : f32
  }
  linalg.generic {indexing_maps = [#same], iterator_types = ["parallel"]}
      outs(%few : memref<7xf32>) {
  ^bb0(%b: f32):
    %0 = arith.negf %b : f32
    linalg.yield %0 : f32
  }
  linalg.generic {indexing_maps = [#same, #same], iterator_types = ["parallel"]}
      ins(%x : memref<100xf32>) outs(%bits : memref<100xi1>) {
  ^bb0(%a: f32, %b: i1):
    %0 = arith.cmpf olt, %a, %a : f32
    linalg.yield %0 : i1
  }
  return
}

// Leaves alone what is not elementwise.
// CHECK-LABEL: @left
// CHECK: linalg.generic {{.*}} iterator_types = ["reduction"]
// CHECK: linalg.index
// CHECK: linalg.generic {{.*}} ins(%{{.*}} : tensor<8xf32>)
func.func @left(%x: memref<8xf32>, %sum: memref<f32>, %i: memref<8xindex>,
                %t: tensor<8xf32>) -> tensor<8xf32> {
  linalg.generic {indexing_maps = [#same, #none], iterator_types = ["reduction"]}
      ins(%x : memref<8xf32>) outs(%sum : memref<f32>) {
  ^bb0(%a: f32, %b: f32):
    %0 = arith.addf %a, %b : f32
    linalg.yield %0 : f32
  }
  linalg.generic {indexing_maps = [#same], iterator_types = ["parallel"]}
      outs(%i : memref<8xindex>) {
  ^bb0(%b: index):
    %0 = linalg.index 0 : index
    linalg.yield %0 : index
  }
  %0 = linalg.generic {indexing_maps = [#same, #same], iterator_types = ["parallel"]}
      ins(%t : tensor<8xf32>) outs(%t : tensor<8xf32>) {
  ^bb0(%a: f32, %b: f32):
    linalg.yield %a : f32
  } -> tensor<8xf32>
  return %0 : tensor<8xf32>
}
