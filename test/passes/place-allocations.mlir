// RUN: %boo-opt %s --boo-place-allocations --split-input-file --verify-diagnostics | FileCheck %s

// Places at multiples of 64 bytes; an i1 and a loop's buffer take theirs too,
// a conditional's may leave it.
// CHECK-LABEL: func.func @places
// CHECK-SAME: boo.workspace_bytes = 396 : i64
// CHECK: %[[A:.*]] = boo.arg %arg0 workspace 0 : memref<?xf32>
// CHECK: memref.reinterpret_cast %[[A]] to offset: [0], sizes: [5, 7], strides: [7, 1] : memref<?xf32> to memref<5x7xf32>
// CHECK: boo.arg %arg0 workspace 192 : memref<?xi1>
// CHECK: scf.for
// CHECK: boo.arg %arg0 workspace 256 : memref<?xbf16>
// CHECK: scf.if
// CHECK: boo.arg %arg0 workspace 320 : memref<?xi32>
// CHECK: boo.arg %arg0 workspace 384 : memref<?xi32>
// CHECK-NOT: memref.alloc
// CHECK-NOT: memref.dealloc
func.func @places(%args: !llvm.ptr, %tile: !llvm.ptr, %n: index, %c: i1) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %a = memref.alloc() {alignment = 64 : i64} : memref<5x7xf32>
  %b = memref.alloca() : memref<3xi1>
  memref.dealloc %a : memref<5x7xf32>
  scf.for %i = %c0 to %n step %c1 {
    %d = memref.alloc() : memref<8xbf16>
    %e = scf.if %c -> memref<3xi32> {
      %f = memref.alloc() : memref<3xi32>
      scf.yield %f : memref<3xi32>
    } else {
      %f = memref.alloc() : memref<3xi32>
      scf.yield %f : memref<3xi32>
    }
  }
  return
}

// -----

// Does nothing but say so where nothing is allocated.
// CHECK-LABEL: func.func @nothing
// CHECK-SAME: boo.workspace_bytes = 0 : i64
func.func @nothing() {
  return
}

// -----

// Goes on after what is taken.
// CHECK-LABEL: func.func @more
// CHECK-SAME: boo.workspace_bytes = 132 : i64
// CHECK: workspace 128
func.func @more(%args: !llvm.ptr) attributes {boo.workspace_bytes = 100 : i64} {
  %0 = memref.alloc() : memref<f32>
  return
}

// -----

// A buffer that a loop takes in and gives out again has not left its round.
// CHECK-LABEL: func.func @around
// CHECK-NOT: memref.alloc
func.func @around(%args: !llvm.ptr, %n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %0 = memref.alloc() : memref<4xf32>
  %1 = scf.for %i = %c0 to %n step %c1 iter_args(%x = %0) -> memref<4xf32> {
    scf.yield %x : memref<4xf32>
  }
  return
}

// -----

// Refuses a buffer that a loop carries on, here under another name.
func.func @carried(%args: !llvm.ptr, %n: index, %first: memref<4xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %0 = scf.for %i = %c0 to %n step %c1 iter_args(%x = %first) -> memref<4xf32> {
    // expected-error@+1 {{outlives the function or the round of the loop that allocates it}}
    %1 = memref.alloc() : memref<2x2xf32>
    %2 = memref.collapse_shape %1 [[0, 1]] : memref<2x2xf32> into memref<4xf32>
    // expected-note@+1 {{it leaves by this op}}
    scf.yield %2 : memref<4xf32>
  }
  return
}

// -----

func.func @returned(%args: !llvm.ptr) -> memref<4xf32> {
  // expected-error@+1 {{outlives the function}}
  %0 = memref.alloc() : memref<4xf32>
  // expected-note@+1 {{it leaves by this op}}
  return %0 : memref<4xf32>
}

// -----

func.func @dynamic(%args: !llvm.ptr, %n: index) {
  // expected-error@+1 {{the size is known at run time only}}
  %0 = memref.alloc(%n) : memref<?xf32>
  return
}

// -----

func.func @layout(%args: !llvm.ptr) {
  // expected-error@+1 {{the layout is not the identity}}
  %0 = memref.alloc() : memref<4x4xf32, strided<[8, 1]>>
  return
}

// -----

func.func @large(%args: !llvm.ptr) {
  %0 = memref.alloc() : memref<4xf32>
  // expected-error@+1 {{more than 2 GiB of workspace}}
  %1 = memref.alloc() : memref<536870912xf32>
  return
}

// -----

// expected-error@+1 {{the first argument must be the pointer to boo_args}}
func.func @no_dispatch() {
  %0 = memref.alloc() : memref<4xf32>
  return
}
