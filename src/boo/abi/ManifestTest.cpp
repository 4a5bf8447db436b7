//===- ManifestTest.cpp ---------------------------------------------------===//

#include "boo/abi/Manifest.h"

#include <gtest/gtest.h>

using namespace boo;

static Manifest sample() {
  Manifest manifest;
  manifest.checksum = "0123456789abcdef0123456789abcdef";
  manifest.kernelAbi = 1;
  manifest.key = "k";
  manifest.name = "conv 2d";
  manifest.target = "isa=avx512 fp16=0 l1=1 l2=2 l3=3 cores=4";
  manifest.math = "strict";
  manifest.graph = "boo.graph 1\n%0 = input f32[1]{0}\n\\n is no newline";
  manifest.algorithm = "direct";
  manifest.why = {"first", "", " leading and trailing "};
  manifest.workspaceBytes = 1 << 20;
  manifest.prepare = {{"boo_dispatch_0", "pack filter", 3}};
  manifest.run = {{"boo_dispatch_1", "conv", 128}, {"boo_dispatch_2", "", 0}};
  manifest.errors = {"tile configuration refused"};
  return manifest;
}

TEST(Manifest, ComesBackFromItsText) {
  for (const Manifest &manifest : {sample(), Manifest()}) {
    auto parsed = parseManifest(printManifest(manifest));
    ASSERT_TRUE(parsed.isOk()) << parsed.status().message();
    EXPECT_EQ(*parsed, manifest);
  }
}

TEST(Manifest, ChecksumStandsFirst) {
  EXPECT_EQ(printManifest(Manifest()).substr(0, 42),
            "checksum " + std::string(32, '0') + "\n");
}

TEST(Manifest, EveryTruncationIsRefusedOrShorter) {
  std::string text = printManifest(sample());
  for (size_t size = 0; size < text.size(); ++size) {
    auto parsed = parseManifest(std::string_view(text).substr(0, size));
    if (parsed.isOk()) {
      EXPECT_TRUE(parseManifest(printManifest(*parsed)).isOk());
    }
  }
}

TEST(Manifest, NamesLineAndReason) {
  auto reason = [](const std::string &from, const std::string &to) {
    std::string text = printManifest(sample());
    text.replace(text.find(from), from.size(), to);
    auto parsed = parseManifest(text);
    return parsed.isOk() ? std::string("accepted") : parsed.status().message();
  };
  EXPECT_EQ(reason("checksum 0", "checksum x"),
            "manifest, line 1: expected 32 hexadecimal digits");
  EXPECT_EQ(reason("kernel_abi 1", "kernel_abi -1"),
            "manifest, line 2: bad number '-1'");
  EXPECT_EQ(reason("key k", "kex k"), "manifest, line 3: expected field 'key'");
  EXPECT_EQ(reason("\\n", "\\t"), "manifest, line 7: bad escape");
  EXPECT_EQ(reason("boo_dispatch_0 3", "boo-dispatch 3"),
            "manifest, line 18: bad symbol");
  EXPECT_EQ(reason("1048576", "99999999999999999999"),
            "manifest, line 15: bad number '99999999999999999999'");
  EXPECT_EQ(
      parseManifest(printManifest(sample()) + "more 1\n").status().message(),
      "manifest, line 22: unexpected field 'more'");
  EXPECT_FALSE(parseManifest(std::string("checksum\0", 9)).isOk());
  EXPECT_FALSE(parseManifest("").isOk());
}
