//===- ManifestFuzz.cpp - Any bytes give a manifest or an error -----------===//
//
// What parses must print to a text that parses to the same manifest.
//
//===----------------------------------------------------------------------===//

#include "boo/abi/Manifest.h"

#include <cstdio>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  auto manifest = boo::parseManifest(
      std::string_view(reinterpret_cast<const char *>(data), size));
  if (!manifest.isOk())
    return 0;
  std::string text = boo::printManifest(*manifest);
  auto again = boo::parseManifest(text);
  if (!again.isOk() || !(*again == *manifest) ||
      boo::printManifest(*again) != text) {
    std::fprintf(stderr, "text does not come back:\n%s", text.c_str());
    std::abort();
  }
  return 0;
}
