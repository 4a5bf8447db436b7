// RUN: %boo-opt %s --boo-lower-brgemm=vector-bits=512 --canonicalize --split-input-file --verify-diagnostics | FileCheck %s --check-prefixes=CHECK,FMA
// RUN: %boo-opt %s --boo-lower-brgemm="vector-bits=512 fma=false" --canonicalize --split-input-file --verify-diagnostics | FileCheck %s --check-prefixes=CHECK,TWO

// m x n / lanes accumulators go through the k loop; a row of B is loaded once,
// an element of A once a row.
// CHECK-LABEL: @tile
// CHECK: %[[LOOP:.*]]:4 = scf.for {{.*}} -> (vector<16xf32>, vector<16xf32>, vector<16xf32>, vector<16xf32>)
// CHECK-COUNT-2: vector.load {{.*}} vector<16xf32>
// CHECK: memref.load
// CHECK-NEXT: vector.broadcast
// FMA-COUNT-2: vector.fma
// TWO: arith.mulf
// TWO: arith.addf
// CHECK: memref.load
// CHECK: scf.yield
// CHECK-COUNT-4: vector.store
// CHECK-NOT: boo.brgemm
func.func @tile(%a: memref<?xf32>, %b: memref<?xf32>, %c: memref<?xf32>) {
  %0 = arith.constant 0 : index
  boo.brgemm a(%a[%0]) b(%b[%0]) c(%c[%0])
      {m = 2, n = 32, k = 8, a_strides = array<i64: 8, 0, 1>,
       b_strides = array<i64: 1, 32>, c_strides = array<i64: 32, 1>,
       tail_strides = array<i64>}
      : memref<?xf32>, memref<?xf32>, memref<?xf32> {
  ^bb0(%acc: f32):
    boo.yield %acc : f32
  }
  return
}

// -----

// Batch loops lie round the k loop; a k of 1 has no loop.
// CHECK-LABEL: @batches
// CHECK: scf.for {{.*}} to %arg3
// CHECK: scf.for {{.*}} to %arg4
// CHECK-NOT: scf.for
// CHECK: return
func.func @batches(%a: memref<?xf32>, %b: memref<?xf32>, %c: memref<?xf32>,
                   %rows: index, %columns: index) {
  %0 = arith.constant 0 : index
  boo.brgemm a(%a[%0]) b(%b[%0]) c(%c[%0]) batch(%rows, %columns)
      {m = 1, n = 16, k = 1, a_strides = array<i64: 1, 0, 1, 9, 3>,
       b_strides = array<i64: 1, 16, 48, 16>, c_strides = array<i64: 16, 1>,
       tail_strides = array<i64>}
      : memref<?xf32>, memref<?xf32>, memref<?xf32> {
  ^bb0(%acc: f32):
    boo.yield %acc : f32
  }
  return
}

// -----

// The tail is cloned on vectors; an n remainder is stored under a mask, and an
// operand without a stride in n is broadcast.
// CHECK-LABEL: @tail
// CHECK: %[[BIAS:.*]] = memref.load %arg3
// CHECK: vector.broadcast %[[BIAS]] : f32 to vector<16xf32>
// CHECK: arith.addf {{.*}} : vector<16xf32>
// CHECK: arith.truncf {{.*}} : vector<16xf32> to vector<16xbf16>
// CHECK: vector.maskedstore {{.*}} vector<16xbf16>
func.func @tail(%a: memref<?xf32>, %b: memref<?xf32>, %c: memref<?xbf16>,
                %bias: memref<?xf32>) {
  %0 = arith.constant 0 : index
  boo.brgemm a(%a[%0]) b(%b[%0]) c(%c[%0]) tail(%bias[%0])
      {m = 1, n = 5, k = 1, a_strides = array<i64: 1, 0, 1>,
       b_strides = array<i64: 1, 16>, c_strides = array<i64: 5, 1>,
       tail_strides = array<i64: 1, 0>}
      : memref<?xf32>, memref<?xf32>, memref<?xbf16> (memref<?xf32>) {
  ^bb0(%acc: f32, %t: f32):
    %s = arith.addf %acc, %t : f32
    %r = arith.truncf %s : f32 to bf16
    boo.yield %r : bf16
  }
  return
}

// -----

// A depthwise tile loads vectors of A.
// CHECK-LABEL: @depthwise
// CHECK-NOT: vector.broadcast
// CHECK: return
func.func @depthwise(%a: memref<?xf32>, %b: memref<?xf32>, %c: memref<?xf32>) {
  %0 = arith.constant 0 : index
  boo.brgemm a(%a[%0]) b(%b[%0]) c(%c[%0])
      {m = 2, n = 16, k = 3, a_strides = array<i64: 16, 1, 16>,
       b_strides = array<i64: 1, 16>, c_strides = array<i64: 16, 1>,
       tail_strides = array<i64>}
      : memref<?xf32>, memref<?xf32>, memref<?xf32> {
  ^bb0(%acc: f32):
    boo.yield %acc : f32
  }
  return
}

// -----

// A B that ends with n is read no further, a narrower one widened as it is read.
// CHECK-LABEL: @exact_b
// CHECK: vector.maskedload {{.*}} : memref<?xbf16>
// CHECK: arith.extf {{.*}} : vector<16xbf16> to vector<16xf32>
// CHECK: return
func.func @exact_b(%a: memref<?xf32>, %b: memref<?xbf16>, %c: memref<?xf32>) {
  %0 = arith.constant 0 : index
  boo.brgemm a(%a[%0]) b(%b[%0]) c(%c[%0])
      {m = 1, n = 5, k = 9, a_strides = array<i64: 9, 0, 1>,
       b_strides = array<i64: 1, 5>, c_strides = array<i64: 5, 1>,
       tail_strides = array<i64>, exact_b}
      : memref<?xf32>, memref<?xbf16>, memref<?xf32> {
  ^bb0(%acc: f32):
    boo.yield %acc : f32
  }
  return
}

// -----

// Lanes over k: whole vectors in a loop, the rest masked, and one sum of the
// lanes for each of the results.
// CHECK-LABEL: @dot
// CHECK-NOT: vector.broadcast
// CHECK: scf.for
// CHECK-COUNT-3: vector.load
// CHECK: scf.yield
// CHECK-COUNT-3: vector.maskedload
// CHECK-COUNT-2: vector.reduction <add>, {{.*}} fastmath<reassoc>
// CHECK-NOT: vector.reduction
// CHECK: vector.maskedstore
// CHECK: return
func.func @dot(%a: memref<?xf32>, %b: memref<?xf32>, %c: memref<?xf32>) {
  %0 = arith.constant 0 : index
  boo.brgemm a(%a[%0]) b(%b[%0]) c(%c[%0])
      {m = 1, n = 2, k = 100, a_strides = array<i64: 100, 0, 1>,
       b_strides = array<i64: 100, 1>, c_strides = array<i64: 2, 1>,
       tail_strides = array<i64>, exact_b, dot}
      : memref<?xf32>, memref<?xf32>, memref<?xf32> {
  ^bb0(%acc: f32):
    boo.yield %acc : f32
  }
  return
}

// -----

// A sum that is continued begins with what was stored, whole vectors of it.
// CHECK-LABEL: @init
// CHECK-COUNT-2: vector.load %{{.*}} : memref<?xf32>, vector<16xf32>
// CHECK: vector.broadcast
// CHECK: return
func.func @init(%a: memref<?xf32>, %b: memref<?xf32>, %c: memref<?xf32>) {
  %0 = arith.constant 0 : index
  boo.brgemm a(%a[%0]) b(%b[%0]) c(%c[%0]) init(%c[%0] : memref<?xf32>)
      {m = 1, n = 5, k = 1, a_strides = array<i64: 1, 0, 1>,
       b_strides = array<i64: 1, 16>, c_strides = array<i64: 16, 1>,
       tail_strides = array<i64>, init_stride = 16}
      : memref<?xf32>, memref<?xf32>, memref<?xf32> {
  ^bb0(%acc: f32):
    boo.yield %acc : f32
  }
  return
}

// -----

// Windows of a depthwise tile share columns: six loads of A for four pixels of
// three taps, each widened once.
// CHECK-LABEL: @columns
// CHECK-COUNT-3: vector.load %{{.*}} : memref<?xf32>, vector<16xf32>
// CHECK-COUNT-6: arith.extf {{.*}} vector<16xbf16> to vector<16xf32>
// CHECK-NOT: arith.extf
// CHECK: return
func.func @columns(%a: memref<?xbf16>, %b: memref<?xf32>, %c: memref<?xf32>) {
  %0 = arith.constant 0 : index
  boo.brgemm a(%a[%0]) b(%b[%0]) c(%c[%0])
      {m = 4, n = 16, k = 3, a_strides = array<i64: 16, 1, 16>,
       b_strides = array<i64: 1, 16>, c_strides = array<i64: 16, 1>,
       tail_strides = array<i64>, k_unroll = 3}
      : memref<?xbf16>, memref<?xf32>, memref<?xf32> {
  ^bb0(%acc: f32):
    boo.yield %acc : f32
  }
  return
}

// -----

// Rows of the tile that comes next are asked for as this one's are read: a
// cache line of each, then 16 steps, and what is left of the rows at the end.
// CHECK-LABEL: @next
// CHECK: scf.for
// CHECK-COUNT-2: memref.prefetch %{{.*}}, read, locality<2>, data : memref<?xf32>
// CHECK-NOT: memref.prefetch
// CHECK: scf.for
// CHECK: scf.yield
// CHECK: scf.yield
// CHECK-COUNT-2: memref.prefetch
// CHECK-NOT: memref.prefetch
// CHECK: return
func.func @next(%a: memref<?xf32>, %b: memref<?xf32>, %c: memref<?xf32>,
                %next: index) {
  %0 = arith.constant 0 : index
  boo.brgemm a(%a[%0]) b(%b[%0]) c(%c[%0]) next[%next]
      {m = 3, n = 16, k = 40, a_strides = array<i64: 40, 0, 1>,
       b_strides = array<i64: 1, 16>, c_strides = array<i64: 16, 1>,
       tail_strides = array<i64>, next_rows = 2}
      : memref<?xf32>, memref<?xf32>, memref<?xf32> {
  ^bb0(%acc: f32):
    boo.yield %acc : f32
  }
  return
}
