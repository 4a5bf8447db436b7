// A vector must hold whole elements.
// RUN: %boo-opt %s --boo-lower-brgemm=vector-bits=32 --split-input-file --verify-diagnostics

func.func @narrow(%a: memref<?xf64>, %b: memref<?xf64>, %c: memref<?xf64>) {
  %0 = arith.constant 0 : index
  // expected-error@+1 {{vectors of 32 bits hold no whole number of 64-bit elements}}
  boo.brgemm a(%a[%0]) b(%b[%0]) c(%c[%0])
      {m = 1, n = 8, k = 1, a_strides = array<i64: 1, 0, 1>,
       b_strides = array<i64: 1, 8>, c_strides = array<i64: 8, 1>,
       tail_strides = array<i64>}
      : memref<?xf64>, memref<?xf64>, memref<?xf64> {
  ^bb0(%acc: f64):
    boo.yield %acc : f64
  }
  return
}

// -----

// Batches would ask for the next tile's rows again and again.
func.func @batches(%a: memref<?xf32>, %b: memref<?xf32>, %c: memref<?xf32>,
                   %taps: index) {
  %0 = arith.constant 0 : index
  // expected-error@+1 {{requires a dense A with k contiguous, no batches, no dot products and no matrix unit for a next tile}}
  boo.brgemm a(%a[%0]) b(%b[%0]) c(%c[%0]) batch(%taps) next[%0]
      {m = 1, n = 8, k = 1, a_strides = array<i64: 1, 0, 1, 8>,
       b_strides = array<i64: 1, 8, 8>, c_strides = array<i64: 8, 1>,
       tail_strides = array<i64>, next_rows = 1}
      : memref<?xf32>, memref<?xf32>, memref<?xf32> {
  ^bb0(%acc: f32):
    boo.yield %acc : f32
  }
  return
}
