// math.fma itself would call fmaf on a target without FMA.
// RUN: %boo-opt %s --boo-expand-math=fma=false --verify-diagnostics

func.func @refuses_fma(%x: f32) -> f32 {
  // expected-error@+1 {{math.fma on 'f32' has no expansion}}
  %y = math.fma %x, %x, %x : f32
  return %y : f32
}
