/*===- KernelAbi.h - What generated code and runtime agree on -----*- C -*-===*\
|*
|* The whole contract between a kernel artifact and whoever launches it. Plain
|* C, no includes beyond <stdint.h>. A change that an old artifact would not
|* survive raises BOO_KERNEL_ABI_VERSION, and every older artifact becomes a
|* cache miss.
|*
|* An artifact is an ELF shared object without undefined symbols. It exports
|* one function for each dispatch, `boo_dispatch_0`, `boo_dispatch_1`, …, and
|* the text `boo_manifest` (abi/Manifest.h), which names the dispatches of the
|* `prepare` and `run` plans, their grids, and the buffers they need.
|*
\*===----------------------------------------------------------------------===*/
#ifndef BOO_ABI_KERNELABI_H
#define BOO_ABI_KERNELABI_H

#include <stdint.h>

#define BOO_KERNEL_ABI_VERSION 1
#define BOO_MANIFEST_SYMBOL "boo_manifest"
#define BOO_MANIFEST_SECTION ".boo.manifest"

#ifdef __cplusplus
extern "C" {
#endif

/* Buffers of one launch, the same for all of its workers. */
typedef struct boo_args {
  /* Base addresses of the Graph's inputs (roles input, constant and inout, in
     declaration order). Aligned to their element, no further. */
  const void *const *in;
  /* Base addresses of the Graph's outputs, in order. */
  void *const *out;
  /* Values of the Graph's symbols, in order; never NULL. */
  const int64_t *dims;
  /* Packed constants, written by the prepare plan, read by the run plan.
     64-byte aligned; NULL when the manifest asks for 0 bytes. */
  void *constants;
  /* Workspace shared by all workers and dispatches of this launch. 64-byte
     aligned; contents undefined at the start. */
  void *workspace;
} boo_args;

/* One worker's share of a dispatch: tiles [begin, end) of the linear grid. */
typedef struct boo_tile {
  int64_t begin;
  int64_t end;
  int64_t worker;
  /* This worker's own scratch memory, 64-byte aligned, contents undefined. */
  void *scratch;
} boo_tile;

/* Zero, or an error that the manifest names. A kernel starts no threads and
   touches nothing outside its tensors, constants, workspace and scratch. */
typedef int32_t (*boo_dispatch_fn)(const boo_args *, const boo_tile *);

#ifdef __cplusplus
}
#endif

#endif /* BOO_ABI_KERNELABI_H */
