//===- PeakKernels.cpp - Arithmetic at full speed -------------------------===//
//
// Each burst keeps enough independent accumulators in registers to hide the
// latency of its instruction. The accumulators pass through empty asm
// statements, so that the compiler can neither fold nor drop the work.
//
//===----------------------------------------------------------------------===//

#include "boo/driver/Peak.h"

#include <immintrin.h>

using namespace boo;

// Twelve accumulators: two FMA units of latency four need eight.
#define BOO_BURST(name, isa, vector, set, fma)                                 \
  __attribute__((target(isa))) static void name(int64_t rounds) {              \
    vector a0 = set(0.1), a1 = a0, a2 = a0, a3 = a0, a4 = a0, a5 = a0;         \
    vector a6 = a0, a7 = a0, a8 = a0, a9 = a0, a10 = a0, a11 = a0;             \
    vector x = set(0.999), y = set(0.001);                                     \
    asm volatile("" : "+v"(x), "+v"(y));                                       \
    for (int64_t i = 0; i < rounds; ++i) {                                     \
      a0 = fma(a0, x, y), a1 = fma(a1, x, y), a2 = fma(a2, x, y);              \
      a3 = fma(a3, x, y), a4 = fma(a4, x, y), a5 = fma(a5, x, y);              \
      a6 = fma(a6, x, y), a7 = fma(a7, x, y), a8 = fma(a8, x, y);              \
      a9 = fma(a9, x, y), a10 = fma(a10, x, y), a11 = fma(a11, x, y);          \
      asm volatile(""                                                          \
                   : "+v"(a0), "+v"(a1), "+v"(a2), "+v"(a3), "+v"(a4),         \
                     "+v"(a5), "+v"(a6), "+v"(a7), "+v"(a8), "+v"(a9),         \
                     "+v"(a10), "+v"(a11));                                    \
    }                                                                          \
  }

#define BOO_MULADD_PS(a, x, y) _mm_add_ps(_mm_mul_ps(a, x), y)
#define BOO_MULADD_PD(a, x, y) _mm_add_pd(_mm_mul_pd(a, x), y)
#define BOO_SET_PH(value) _mm512_set1_ph(_Float16(value))

BOO_BURST(genericF32, "sse2", __m128, _mm_set1_ps, BOO_MULADD_PS)
BOO_BURST(genericF64, "sse2", __m128d, _mm_set1_pd, BOO_MULADD_PD)
BOO_BURST(avx2F32, "avx2,fma", __m256, _mm256_set1_ps, _mm256_fmadd_ps)
BOO_BURST(avx2F64, "avx2,fma", __m256d, _mm256_set1_pd, _mm256_fmadd_pd)
BOO_BURST(avx512F32, "avx512f", __m512, _mm512_set1_ps, _mm512_fmadd_ps)
BOO_BURST(avx512F64, "avx512f", __m512d, _mm512_set1_pd, _mm512_fmadd_pd)
BOO_BURST(avx512F16, "avx512fp16", __m512h, BOO_SET_PH, _mm512_fmadd_ph)

/// Two products a lane, in the shape of the bursts above.
#define BOO_DOT(a, x, y) _mm512_dpbf16_ps(a, (__m512bh)(x), (__m512bh)(y))
BOO_BURST(dotBf16, "avx512bf16,avx512f", __m512, _mm512_set1_ps, BOO_DOT)

/// Six tiles: two of A, two of B, and the four products of a 2x2 block would
/// be eight; tdpbf16ps needs four independent accumulators only.
__attribute__((target("amx-tile,amx-bf16"))) static void
amxBf16(int64_t rounds) {
  struct alignas(64) {
    unsigned char palette = 1, startRow = 0, reserved[14] = {};
    unsigned short columns[16] = {64, 64, 64, 64, 64, 64};
    unsigned char rows[16] = {16, 16, 16, 16, 16, 16};
  } config;
  _tile_loadconfig(&config);
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  _tile_zero(4);
  _tile_zero(5);
  for (int64_t i = 0; i < rounds; ++i) {
    _tile_dpbf16ps(0, 4, 5);
    _tile_dpbf16ps(1, 4, 5);
    _tile_dpbf16ps(2, 4, 5);
    _tile_dpbf16ps(3, 4, 5);
  }
  _tile_release();
}

namespace {
struct Entry {
  std::string_view instruction;
  Isa isa; ///< of the kernel, and of better ones without an entry
  PeakKernel kernel;
};
} // namespace

static constexpr double perRound(int lanes) { return 12.0 * 2 * lanes; }

/// From the best to the plainest of each instruction.
static constexpr Entry Entries[] = {
    {"fma-f32", Isa::Avx512, {avx512F32, perRound(16)}},
    {"fma-f32", Isa::Avx2, {avx2F32, perRound(8)}},
    {"fma-f32", Isa::Generic, {genericF32, perRound(4)}},
    {"fma-f64", Isa::Avx512, {avx512F64, perRound(8)}},
    {"fma-f64", Isa::Avx2, {avx2F64, perRound(4)}},
    {"fma-f64", Isa::Generic, {genericF64, perRound(2)}},
    {"mul-add-f32", Isa::Generic, {genericF32, perRound(4)}},
    {"mul-add-f64", Isa::Generic, {genericF64, perRound(2)}},
    {"fma-f16", Isa::Avx512, {avx512F16, perRound(32)}},
    {"dot-bf16", Isa::Avx512, {dotBf16, 2 * perRound(16)}},
    {"amx-bf16", Isa::Amx, {amxBf16, 4.0 * 2 * 16 * 16 * 32}},
};

PeakKernel boo::findPeakKernel(const std::string &instruction, Isa isa) {
  for (const Entry &entry : Entries)
    if (entry.instruction == instruction && entry.isa <= isa)
      return entry.kernel;
  return {};
}
