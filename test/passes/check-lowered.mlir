// What is left outside the llvm dialect is named.
// RUN: %boo-opt %s --boo-check-lowered --split-input-file --verify-diagnostics | FileCheck %s

// Does not object to llvm ops.
// CHECK-LABEL: llvm.func @lowered
module {
  llvm.func @lowered(%x: f32) -> f32 {
    %y = llvm.fadd %x, %x : f32
    llvm.return %y : f32
  }
}

// -----

// Refuses a function that was not converted, at its first op.
module {
  func.func @function() {
    // expected-error@+1 {{'func.return' op has no lowering to the llvm dialect}}
    return
  }
}

// -----

// Refuses an op inside a converted function, the first one only.
module {
  llvm.func @op(%x: f32) -> f32 {
    // expected-error@+1 {{'math.sin' op has no lowering to the llvm dialect}}
    %y = math.sin %x : f32
    %z = math.cos %y : f32
    llvm.return %z : f32
  }
}
