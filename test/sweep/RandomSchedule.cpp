//===- RandomSchedule.cpp - Tuning entries at random ----------------------===//

#include "RandomSchedule.h"
#include "RandomSource.h"

using namespace boo;
using namespace boo::testing;

std::string boo::testing::randomSchedule(std::mt19937_64 &random,
                                         const Target &target) {
  std::string text;
  auto name = [&](const char *field, int64_t value) {
    text += (text.empty() ? "" : " ") + std::string(field) + "=" +
            std::to_string(value);
  };
  auto maybe = [&](const char *field, int64_t low, int64_t high) {
    if (pick(random, 0, 1))
      name(field, pick(random, low, high));
  };
  int64_t wide = target.isa == Isa::Generic ? 1
                 : target.isa == Isa::Avx2  ? 2
                                            : 3;
  if (target.isa == Isa::Amx && pick(random, 0, 1)) {
    int64_t m = pick(random, 1, 2);
    name("amx", 1);
    name("scratch_input", 1);
    name("vector_bits", 512);
    name("m_tile", 16 * m);
    name("n_vectors", pick(random, 1, m == 1 ? 3 : 2));
  } else {
    if (target.isa == Isa::Amx)
      name("amx", 0);
    if (pick(random, 0, 1))
      name("vector_bits", int64_t(64) << pick(random, 0, wide));
    // Now and then up to the largest tile that is unrolled.
    bool large = pick(random, 0, 7) == 0;
    maybe("m_tile", 1, large ? 64 : 18);
    maybe("n_vectors", 1, large ? 8 : 4);
    maybe("scratch_input", 0, 1);
    if (target.fastBf16Dot)
      maybe("pairs", 0, 1);
    maybe("fma", 0, target.isa == Isa::Generic ? 0 : 1);
  }
  maybe("k_unroll", 1, pick(random, 0, 7) == 0 ? 16 : 6);
  // Most groups refuse these.
  if (pick(random, 0, 3) == 0)
    maybe("k_chunk", 0, pick(random, 0, 1) ? 9 : 200);
  if (pick(random, 0, 5) == 0)
    maybe("filter_in_place", 0, 1);
  if (pick(random, 0, 9) == 0)
    maybe("dot", 0, 1);
  if (pick(random, 0, 2) == 0)
    maybe("pack_inside", 0, 1);
  maybe("n_chunk", 1, 5);
  maybe("w_chunk", 1, 6);
  if (pick(random, 0, 2) == 0)
    maybe("h_chunk", 1, 5);
  maybe("filter_outer", 0, 1);
  maybe("serial", 0, 1);
  maybe("prefetch", 0, 9);
  maybe("prefetch_input", 0, 1);
  maybe("stream", 0, 1);
  // Of filter gradients only; others take no notice.
  maybe("lanes_over_input", 0, 1);
  maybe("k_parts", 1, pick(random, 0, 3) == 0 ? 1000 : 7);
  // Of separable convolutions only.
  maybe("rows", 1, 3);
  maybe("dw_m_tile", 1, 8);
  maybe("dw_n_vectors", 1, 3);
  maybe("dw_k_unroll", 1, 4);
  maybe("dw_n_chunk", 1, 3);
  maybe("dw_w_chunk", 1, 4);
  maybe("dw_scratch_input", 0, 1);
  maybe("dw_prefetch_input", 0, 1);
  // Far more than there is.
  if (pick(random, 0, 9) == 0 && text.find("w_chunk") == std::string::npos)
    name("w_chunk", int64_t(1) << pick(random, 10, 40));
  if (pick(random, 0, 9) == 0 && text.find("n_chunk") == std::string::npos)
    name("n_chunk", int64_t(1) << pick(random, 10, 40));
  return text;
}
