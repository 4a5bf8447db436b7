/*===- FixtureKernel.c - An artifact written by hand --------------*- C -*-===*\
|*
|* What the compiler would make for `relu` of f32[4096], but so that a wrong
|* barrier, range, scratch or workspace shows: the first dispatch writes
|* max(x, 0) to the workspace in reverse order, through its scratch; the second
|* turns it round again and adds the packed constant, 0 here. A NaN in x makes
|* the second dispatch fail. Tests patch key and name in the manifest's text.
|* FIXTURE_EMPTY makes dispatches that do nothing, to measure launches.
|*
\*===----------------------------------------------------------------------===*/

#include "boo/abi/KernelAbi.h"
#include "boo/runtime/testing/FixtureArtifact.h"

#define EXPORT __attribute__((visibility("default"), used))
#define TILE (FIXTURE_ELEMENTS / FIXTURE_GRID)

EXPORT __attribute__((section(BOO_MANIFEST_SECTION)))
const char boo_manifest[] = "checksum 00000000000000000000000000000000\n"
                            "kernel_abi 1\n"
                            "key " FIXTURE_KEY "\n"
                            "name " FIXTURE_NAME "\n"
                            "target isa=generic fp16=0 l1=1 l2=1 l3=1 cores=1\n"
                            "math default\n"
                            "graph \n"
                            "builds \n"
                            "algorithm fixture\n"
                            "schedule \n"
                            "why written by hand\n"
                            "instruction none\n"
                            "workspace_bytes 0000000000016384\n"
                            "scratch_bytes 256\n"
                            "constants_bytes " FIXTURE_CONSTANTS "\n"
#ifdef FIXTURE_PREPARE
                            "prepare boo_dispatch_2 4 pack\n"
#endif
                            "run boo_dispatch_0 64 reverse\n"
                            "run boo_dispatch_1 64 turn back\n"
                            "error a value is NaN\n";

/* As large as a real kernel, so that a small disk can be too small for it. */
EXPORT const char boo_fixture_padding[16 << 10] = {1};

#ifdef FIXTURE_EMPTY
EXPORT int32_t boo_dispatch_0(const boo_args *args, const boo_tile *tile) {
  return args->in[0] == 0 || tile->scratch == 0;
}

EXPORT int32_t boo_dispatch_1(const boo_args *args, const boo_tile *tile) {
  return args->out[0] == 0 || tile->begin == tile->end;
}
#else
EXPORT int32_t boo_dispatch_0(const boo_args *args, const boo_tile *tile) {
  const float *x = (const float *)args->in[0];
  float *workspace = (float *)args->workspace;
  volatile float *scratch = (volatile float *)tile->scratch;
  for (int64_t t = tile->begin; t < tile->end; ++t) {
    for (int64_t i = 0; i < TILE; ++i)
      scratch[i] = x[t * TILE + i] < 0 ? 0 : x[t * TILE + i];
    for (int64_t i = 0; i < TILE; ++i)
      workspace[FIXTURE_ELEMENTS - 1 - (t * TILE + i)] = scratch[i];
  }
  return 0;
}

EXPORT int32_t boo_dispatch_1(const boo_args *args, const boo_tile *tile) {
  const float *workspace = (const float *)args->workspace;
  const float *constants = (const float *)args->constants;
  volatile float *y = (volatile float *)args->out[0];
  for (int64_t i = tile->begin * TILE; i < tile->end * TILE; ++i) {
    float value = workspace[FIXTURE_ELEMENTS - 1 - i];
    if (value != value)
      return 1;
    y[i] = constants ? value + constants[i % 4] : value;
  }
  return 0;
}

EXPORT int32_t boo_dispatch_2(const boo_args *args, const boo_tile *tile) {
  for (int64_t t = tile->begin; t < tile->end; ++t)
    ((float *)args->constants)[t] = 2 * ((const float *)args->in[0])[t];
  return 0;
}
#endif
