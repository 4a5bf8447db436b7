//===- Passes.td - BOO's passes, in alphabetical order ---------*- tablegen -*-===//
#ifndef BOO_PASSES_TD
#define BOO_PASSES_TD

include "mlir/Pass/PassBase.td"

def CarryInPlace : Pass<"boo-carry-in-place", "mlir::func::FuncOp"> {
  let summary = "Have each round of a loop write into the buffer it was given";
  let description = [{
    One-shot bufferization refuses a loop that yields another buffer than the
    one it carries. This pass, ahead of it, materializes each yielded tensor of
    an scf.for in the carried one; bufferization then computes it there or adds
    a copy. One that is the carried tensor with slices overwritten, as in tiled
    loops, is there already. Limits: scf.while stays as it is.

    ```mlir
    scf.yield %0 : tensor<4xf32>
    // becomes, where %x is what the loop carries
    %1 = bufferization.materialize_in_destination %0 in %x
    scf.yield %1 : tensor<4xf32>
    ```
  }];
  let dependentDialects = ["mlir::bufferization::BufferizationDialect"];
}

def CheckLowered : Pass<"boo-check-lowered", "mlir::ModuleOp"> {
  let summary = "Name every op that did not reach the LLVM dialect";
  let description = [{
    `convert-to-llvm` is partial: what it cannot lower stays, and only the
    translation fails, without a name. This pass fails at the first op outside
    the builtin and llvm dialects and says which one it is.
  }];
}

def ExpandFloatConversions
    : Pass<"boo-expand-float-conversions", "mlir::func::FuncOp"> {
  let summary = "Convert from and to bf16 and f16 by integer arithmetic";
  let description = [{
    The back end's conversions of bf16 flush subnormals (vcvtneps2bf16) or call
    libgcc, as those between f64 and f16 do. Here arith.extf and arith.truncf
    between bf16 and f32 or f64 become integer ops: round to nearest, ties to
    even, once (from f64 by way of an f32 rounded to odd); subnormals are kept,
    a NaN stays one and becomes quiet, what is too large becomes infinity. With
    `hardware-f16`, conversions between f16 and f32 stay and those between f16
    and f64 lead through them; without it, f16 is treated as bf16 is. With
    `flushing-bf16` vectors of 8 and 16 f32 are narrowed to bf16 by AVX512-BF16's
    instruction, which takes subnormals as zeros. Scalars
    and vectors alike. Limits: other float types and other rounding modes are
    errors. Conversions between f32 and f64 stay.

    ```mlir
    %y = arith.extf %x : bf16 to f32
    // becomes
    %0 = arith.bitcast %x : bf16 to i16
    %1 = arith.extui %0 : i16 to i32
    %2 = arith.shli %1, %c16_i32 : i32
    %y = arith.bitcast %2 : i32 to f32
    ```
  }];
  let options = [
    Option<"hardwareF16", "hardware-f16", "bool", "true",
           "The target converts between f16 and f32">,
    Option<"flushingBf16", "flushing-bf16", "bool", "false",
           "Narrow to bf16 in hardware, subnormals to zeros">];
  let dependentDialects = ["mlir::arith::ArithDialect",
                           "mlir::LLVM::LLVMDialect",
                           "mlir::math::MathDialect"];
}

def ExpandMath : Pass<"boo-expand-math", "mlir::func::FuncOp"> {
  let summary = "Compute elementary functions without libm";
  let description = [{
    math.erf, exp, expm1, log, log1p and tanh on f32, f64 and vectors of them
    become multiplications and additions (math.fma with `fma`, which the target
    must then have: otherwise it would be a call), divisions and selects. The
    results are correct for zeros (with their sign), infinities, NaNs and
    subnormals, and at most these ulps away from the exact ones:

    |     | erf | exp | expm1 | log | log1p | tanh |
    | --- | --- | --- | ----- | --- | ----- | ---- |
    | f32 | 3   | 2   | 2     | 2   | 2     | 3    |
    | f64 | 4   | 4   | 4     | 4   | 4     | 4    |

    With `scalef` whole registers of exp are multiplied by their power of two in one
    instruction; without, an exp with the attribute `boo.non_positive`, whose operand
    is not above 0, takes four operations less than another. Limits: math.absf,
    copysign, fma and sqrt stay, as instructions. Any other
    op of the math dialect, and one on another type, is an error.

    ```mlir
    %y = math.exp %x : vector<16xf32>
    // becomes, with n = round(x / log(2)) and r = x - n log(2),
    // 2^n (1 + (r + r^2 Q(r))), where 2^n is put together from bits
    ```
  }];
  let options = [
    Option<"fma", "fma", "bool", "true", "Use fused multiply-add">,
    Option<"scalef", "scalef", "bool", "false",
           "Scale vectors of 512 bits by AVX-512's instruction">];
  let dependentDialects = ["mlir::arith::ArithDialect",
                           "mlir::LLVM::LLVMDialect",
                           "mlir::math::MathDialect"];
}

def FuseElementwise : Pass<"boo-fuse-elementwise", "mlir::func::FuncOp"> {
  let summary = "Fuse elementwise linalg ops on tensors where it saves work";
  let description = [{
    A linalg.generic that computes elements is fused into its only user if that
    is elementwise over the same loops; one that only moves elements (a
    broadcast, a transpose, a fill) into every user. Not fused: what would be
    computed again for each step of a reduction or a broadcast.

    ```mlir
    %0 = linalg.generic … { arith.addf }
    %1 = linalg.generic ins(%0) … { arith.negf }
    // becomes
    %1 = linalg.generic … { arith.addf, arith.negf }
    ```
  }];
  let dependentDialects = ["mlir::linalg::LinalgDialect"];
}

def IntegerHalves : Pass<"boo-integer-halves", "mlir::ModuleOp"> {
  let summary = "Keep floats of 16 bits in memory and lanes of i16";
  let description = [{
    Memrefs of f16 and bf16 become memrefs of i16, and ops that only move
    elements (loads, stores, broadcasts, insertions, shuffles, selects) move
    integers, with an arith.bitcast where an op computes with the float. Comes
    after everything that writes loads and stores. Limits: another op that
    accesses such memory is an error; so is a function that returns it.

    ```mlir
    %0 = memref.load %x[%i] : memref<?xbf16>
    // becomes
    %1 = memref.load %x[%i] : memref<?xi16>
    %0 = arith.bitcast %1 : i16 to bf16
    ```
  }];
  let dependentDialects = ["mlir::arith::ArithDialect"];
}

def LowerBrgemm : Pass<"boo-lower-brgemm", "mlir::func::FuncOp"> {
  let summary = "Turn register tiles into vector code";
  let description = [{
    Each boo.brgemm becomes its batch and k loops, with m x ceil(n / lanes)
    vectors of accumulators carried by them, and vector copies of its tail, or,
    when that is long, a loop round one copy, through buffers on the stack. The
    last vector of n is masked where it reads or writes an operand that is not
    padded. `vector-bits` is the width of a register; without `fma`, products
    and sums are separate instructions. Pairs of bf16 go through AVX512-BF16's
    dot product.
  }];
  let options = [
    Option<"vectorBits", "vector-bits", "int64_t", "512", "Bits of a vector">,
    Option<"fma", "fma", "bool", "true", "Use fused multiply-add">];
  let dependentDialects = ["mlir::arith::ArithDialect",
                           "mlir::LLVM::LLVMDialect",
                           "mlir::scf::SCFDialect",
                           "mlir::memref::MemRefDialect",
                           "mlir::vector::VectorDialect"];
}

def LowerBrgemmToAmx : Pass<"boo-lower-brgemm-to-amx", "mlir::func::FuncOp"> {
  let summary = "Turn bf16 register tiles into AMX code";
  let description = [{
    Each boo.brgemm with staging memory becomes its batch and k loops round
    amx.tile_mulf, with ceil(m / 16) x ceil(n / 16) tiles of sums carried by them.
    The sums go through the staging memory into the vector copy of the tail.
    Sums, A and B take eight tiles at most. Other tiles stay as they are.
  }];
  let dependentDialects = ["mlir::amx::AMXDialect", "mlir::arith::ArithDialect",
                           "mlir::scf::SCFDialect",
                           "mlir::vector::VectorDialect"];
}

def LowerElementwise : Pass<"boo-lower-elementwise", "mlir::func::FuncOp"> {
  let summary = "Turn elementwise linalg ops on memrefs into vector loops";
  let description = [{
    An all-parallel linalg op on memrefs, or a memref.copy, becomes loops. The
    innermost one runs
    along the last dimension of the outputs, if that is contiguous, by vectors
    of `vector-bits` of the widest type in the body: contiguous operands are
    loaded whole, those that do not change along the vector once ahead of the
    loop, others lane by lane. Left-over elements, and outputs whose last
    dimension is not contiguous, go one by one. Left as they are: ops on
    tensors, reductions, bodies that ask for loop indices or hold ops that are
    not elementwise, and operands whose indices are computed from several loops.
    An output may share memory with an operand only if each element is read and
    written by the same iteration, which is what parallel loops mean.

    ```mlir
    linalg.generic {…} ins(%x : memref<?xf32>) outs(%y : memref<?xf32>) {
    ^bb0(%a: f32, %b: f32):
      %0 = arith.negf %a : f32
      linalg.yield %0 : f32
    }
    // becomes
    scf.for %i = %c0 to %whole step %c16 {
      %0 = vector.load %x[%i] : memref<?xf32>, vector<16xf32>
      %1 = arith.negf %0 : vector<16xf32>
      vector.store %1, %y[%i] : memref<?xf32>, vector<16xf32>
    }
    scf.for %i = %whole to %size step %c1 { … }
    ```
  }];
  let options = [
    Option<"vectorBits", "vector-bits", "int64_t", "512", "Bits of a vector">];
  let dependentDialects = ["mlir::arith::ArithDialect", "mlir::scf::SCFDialect",
                           "mlir::memref::MemRefDialect",
                           "mlir::vector::VectorDialect"];
}

def LowerVectors : Pass<"boo-lower-vectors", "mlir::func::FuncOp"> {
  let summary = "Turn vectors of several dimensions into vectors of one";
  let description = [{
    Transfers from and to memrefs become loads and stores of rows, masked where
    they may be out of bounds; contractions become outer products, and these
    multiply-adds; reductions over several dimensions, transposes, broadcasts
    and shape casts become moves of rows and elements.

    ```mlir
    %0 = vector.transfer_read %x[%i, %j], %pad {in_bounds = [true, true]}
        : memref<8x8xf32>, vector<2x8xf32>
    // becomes
    %1 = vector.load %x[%i, %j] : memref<8x8xf32>, vector<8xf32>
    %2 = vector.load %x[%i1, %j] : memref<8x8xf32>, vector<8xf32>
    ```
  }];
  let dependentDialects = ["mlir::affine::AffineDialect",
                           "mlir::arith::ArithDialect",
                           "mlir::memref::MemRefDialect",
                           "mlir::scf::SCFDialect",
                           "mlir::vector::VectorDialect"];
}

def PlaceAllocations : Pass<"boo-place-allocations", "mlir::func::FuncOp"> {
  let summary = "Put the buffers of a dispatch into its workspace";
  let description = [{
    Each memref.alloc and memref.alloca becomes a place of its own in the
    workspace, aligned to 64 bytes, and memref.dealloc goes away. The function's
    attribute `boo.workspace_bytes` tells what they take together; one that is
    there already counts as taken. A buffer that is allocated inside of a loop
    is the same memory in every round. Refused are sizes known at run time only,
    layouts other than the identity, and buffers that a loop carries into its
    next round or that the function returns.

    ```mlir
    %0 = memref.alloc() : memref<4x8xf32>
    // becomes
    %1 = boo.arg %args workspace 64 : memref<?xf32>
    %0 = memref.reinterpret_cast %1 to offset: [0], sizes: [4, 8], strides: [8, 1]
        : memref<?xf32> to memref<4x8xf32>
    ```
  }];
  let dependentDialects = ["boo::compiler::BooDialect",
                           "mlir::memref::MemRefDialect"];
}

def StreamStores : Pass<"boo-stream-stores", "mlir::ModuleOp"> {
  let summary = "Write whole cache lines of outputs past the caches";
  let description = [{
    Each public function with vector stores that fill lines of 64 bytes of an
    output (`boo.arg … out`), alone or with others of their block, gets a
    private twin, `<name>_stream`, with one non-temporal store in place of
    those, which ends with a fence; it runs in place of the function where those
    outputs begin on a line. That a store's offset is on a line is read off
    constants, additions, multiplications, minima and steps of loops. Limits:
    masked stores and scalars stay as they are; comes while loops are loops,
    after everything that writes stores.

    ```mlir
    vector.store %v, %y[%i] : memref<?xf32>, vector<16xf32>
    // becomes, in the twin
    vector.store %v, %y[%i] {alignment = 64, nontemporal = true} : …
    ```
  }];
  let dependentDialects = ["mlir::arith::ArithDialect",
                           "mlir::cf::ControlFlowDialect",
                           "mlir::LLVM::LLVMDialect",
                           "mlir::memref::MemRefDialect",
                           "mlir::vector::VectorDialect"];
}

#endif // BOO_PASSES_TD
