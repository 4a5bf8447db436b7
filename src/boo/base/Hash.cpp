//===- Hash.cpp -----------------------------------------------------------===//

#include "boo/base/Hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

using namespace boo;

static std::string toHex(XXH128_hash_t hash) {
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, hash);
  static constexpr char digits[] = "0123456789abcdef";
  std::string text;
  text.reserve(2 * sizeof(canonical.digest));
  for (unsigned char byte : canonical.digest) {
    text += digits[byte >> 4];
    text += digits[byte & 15];
  }
  return text;
}

std::string boo::hashHex(std::string_view bytes) {
  return toHex(XXH3_128bits(bytes.data(), bytes.size()));
}

Hasher::Hasher() : State(XXH3_createState()) {
  XXH3_128bits_reset(static_cast<XXH3_state_t *>(State));
}
Hasher::~Hasher() { XXH3_freeState(static_cast<XXH3_state_t *>(State)); }

void Hasher::update(std::string_view bytes) {
  XXH3_128bits_update(static_cast<XXH3_state_t *>(State), bytes.data(),
                      bytes.size());
}

std::string Hasher::hex() const {
  return toHex(XXH3_128bits_digest(static_cast<XXH3_state_t *>(State)));
}
