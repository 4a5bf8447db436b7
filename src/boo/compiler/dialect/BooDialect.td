//===- BooDialect.td - Ops between kernel emitters and LLVM ----*- tablegen -*-===//
//
// Few ops: the arguments of a dispatch, and the tile that all contractions are
// loops round.
//
//===----------------------------------------------------------------------===//
#ifndef BOO_DIALECT_TD
#define BOO_DIALECT_TD

include "mlir/Dialect/LLVMIR/LLVMOpBase.td"
include "mlir/IR/EnumAttr.td"
include "mlir/IR/OpBase.td"
include "mlir/Interfaces/ControlFlowInterfaces.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def BooDialect : Dialect {
  let name = "boo";
  let cppNamespace = "::boo::compiler";
  let summary = "Arguments of a dispatch and the register tile";
}

class BooOp<string mnemonic, list<Trait> traits = []>
    : Op<BooDialect, mnemonic, traits>;

//===----------------------------------------------------------------------===//
// Arguments of a dispatch (abi/KernelAbi.h)
//===----------------------------------------------------------------------===//

def ArgField : I32EnumAttr<"ArgField", "a field of boo_args or boo_tile", [
    I32EnumAttrCase<"In", 0, "in">,
    I32EnumAttrCase<"Out", 1, "out">,
    I32EnumAttrCase<"Constants", 2, "constants">,
    I32EnumAttrCase<"Workspace", 3, "workspace">,
    I32EnumAttrCase<"Scratch", 4, "scratch">]> {
  let cppNamespace = "::boo::compiler";
}

def ArgOp : BooOp<"arg", [Pure]> {
  let summary = "a buffer of the launch, as a flat memref";
  let description = [{
    The buffer that `slot` of a field of `boo_args` (for `scratch`: of
    `boo_tile`) points to. Its length is unknown to the kernel: offsets come
    from the manifest's types. `slot` is an index for `in` and `out`, and a byte
    offset for the other fields.

    ```mlir
    %x = boo.arg %args in 0 : memref<?xf32>
    ```
  }];
  let arguments = (ins LLVM_PointerInAddressSpace<0>:$base,
                       ArgField:$field,
                       I64Attr:$slot);
  let results = (outs MemRefRankOf<[AnyType], [1]>:$buffer);
  let assemblyFormat = "$base $field $slot attr-dict `:` type($buffer)";
}

def TileRangeOp : BooOp<"tile_range", [Pure]> {
  let summary = "the tiles [begin, end) of the grid that this call works on";
  let arguments = (ins LLVM_PointerInAddressSpace<0>:$tile);
  let results = (outs Index:$begin, Index:$end);
  let assemblyFormat = "$tile attr-dict";
}

//===----------------------------------------------------------------------===//
// The register tile
//===----------------------------------------------------------------------===//

def FlatFloatMemRef : MemRefRankOf<[AnyFloat], [1]>;

def BrgemmOp : BooOp<"brgemm", [IsolatedFromAbove, AttrSizedOperandSegments,
                                   SingleBlock,
                                   DeclareOpInterfaceMethods<MemoryEffectsOpInterface>]> {
  let summary = "batch-reduced product of two small matrices with a pointwise tail";
  let description = [{
    For every m < `m` and n < `n`:

        acc = sum over batches b0, b1, …, and k < `k` of
                A[a_offset + m*am + n*an + k*ak + b0*ab0 + …]
              * B[b_offset +        n*bn + k*bk + b0*bb0 + …]
        C[c_offset + m*cm + n*cn] = tail(acc, T0[t0_offset + m*tm + n*tn], …)

    The op owns its batch and k loops, so that the accumulators never leave
    registers. `a_strides` is [am, an, ak, ab0, …], `b_strides` [bn, bk, bb0, …],
    `c_strides` [cm, cn], `tail_strides` [tm, tn] for each tail operand. The
    trip counts of the batch loops are run-time values; everything else is
    static. Limits: `an` is 0 (a dense tile: one element of A meets a row of B)
    or 1 (a depthwise tile: lane n of A meets lane n of B); `bn` is 1, and B may
    be read up to the next multiple of the vector length in n (packed operands
    are padded so) unless `exact_b` says that it ends with n. A has the type
    that is accumulated; B has it too, or a narrower one that is widened as it
    is read; of a depthwise tile A may be the narrower one. C and tail operands may have any float type: the region converts.
    It computes on scalars and is vectorised by cloning, so all its ops are
    elementwise.

    With `init` the sums begin with I[i_offset + m*`init_stride` + n], which has
    the type that is accumulated and may be read up to the next multiple of the
    vector length in n; so a sum can be continued.

    With `dot` the lanes run over k: `ak` and `bk` are 1, `bn` is anything, and
    the lanes of each of the m x n vectors of sums are added up at the end.

    With `next`, the offset of a tile of A whose turn comes later, its first
    `next_rows` rows are asked for while this one's are multiplied, a cache line
    of each at a time. Then ak is 1 and there are no batches.

    A and B of bf16 with sums in f32 are multiplied in pairs of k: B then holds
    pairs side by side, B[b_offset + (k/2)*bk + 2*n + k%2], and ak is 1; what
    follows an odd last k in B is zero, and in A is not read. With `staging` this is for matrix units: k is a multiple of 32, A may be
    read up to the next multiple of 16 in m, and `staging` is f32 memory for the
    sums of all those rows and columns. Without it each pair is a dot product of
    the vector unit.

    ```mlir
    boo.brgemm a(%x[%0]) b(%w[%1]) c(%y[%2]) batch(%rows) tail(%bias[%3])
        {m = 14, n = 32, k = 192, a_strides = [64, 0, 1, 3584], …}
        : memref<?xf32>, memref<?xf32>, memref<?xf32> (memref<?xf32>) {
    ^bb0(%acc: f32, %t: f32):
      %s = arith.addf %acc, %t : f32
      boo.yield %s : f32
    }
    ```
  }];
  let arguments = (ins FlatFloatMemRef:$a, Index:$a_offset,
                       FlatFloatMemRef:$b, Index:$b_offset,
                       FlatFloatMemRef:$c, Index:$c_offset,
                       Variadic<Index>:$batch_counts,
                       Variadic<FlatFloatMemRef>:$tail,
                       Variadic<Index>:$tail_offsets,
                       Optional<FlatFloatMemRef>:$staging,
                       Optional<FlatFloatMemRef>:$init,
                       Optional<Index>:$init_offset,
                       Optional<Index>:$next,
                       I64Attr:$m, I64Attr:$n, I64Attr:$k,
                       DenseI64ArrayAttr:$a_strides,
                       DenseI64ArrayAttr:$b_strides,
                       DenseI64ArrayAttr:$c_strides,
                       DenseI64ArrayAttr:$tail_strides,
                       UnitAttr:$exact_b, UnitAttr:$dot,
                       DefaultValuedAttr<I64Attr, "1">:$k_unroll,
                       DefaultValuedAttr<I64Attr, "0">:$prefetch,
                       DefaultValuedAttr<I64Attr, "0">:$init_stride,
                       DefaultValuedAttr<I64Attr, "0">:$next_rows);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    `a` `(` $a `[` $a_offset `]` `)` `b` `(` $b `[` $b_offset `]` `)`
    `c` `(` $c `[` $c_offset `]` `)`
    (`batch` `(` $batch_counts^ `)`)?
    (`tail` `(` $tail^ `[` $tail_offsets `]` `)`)?
    (`init` `(` $init^ `[` $init_offset `]` `:` type($init) `)`)?
    (`next` `[` $next^ `]`)?
    (`staging` `(` $staging^ `:` type($staging) `)`)?
    attr-dict `:` type($a) `,` type($b) `,` type($c)
    (`(` type($tail)^ `)`)? $body
  }];
  let extraClassDeclaration = [{
    /// Whether bf16 is multiplied in pairs of k and summed in f32.
    bool inPairs();
  }];
  let hasVerifier = 1;
}

def YieldOp : BooOp<"yield", [Pure, Terminator, ReturnLike,
                                 HasParent<"BrgemmOp">]> {
  let summary = "the value that a tile's tail stores";
  let arguments = (ins AnyFloat:$value);
  let assemblyFormat = "$value attr-dict `:` type($value)";
}

#endif // BOO_DIALECT_TD
