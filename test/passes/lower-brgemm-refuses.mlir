// A vector must hold whole elements.
// RUN: %boo-opt %s --boo-lower-brgemm=vector-bits=32 --verify-diagnostics

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
