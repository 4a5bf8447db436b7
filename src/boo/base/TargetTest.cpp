//===- TargetTest.cpp -----------------------------------------------------===//

#include "boo/base/Target.h"

#include <gtest/gtest.h>

using namespace boo;

TEST(Target, ComesBackFromItsText) {
  Target target{Isa::Amx, true, true, 48 << 10, 2 << 20, int64_t(1) << 33, 64};
  std::string text = printTarget(target);
  EXPECT_EQ(text, "isa=amx fp16=1 bf16dot=1 l1=49152 l2=2097152 l3=8589934592 "
                  "cores=64");
  auto parsed = parseTarget(text);
  ASSERT_TRUE(parsed.isOk()) << parsed.status().message();
  EXPECT_EQ(*parsed, target);
}

TEST(Target, RefusesOtherTexts) {
  for (const char *text :
       {"", "isa=avx2", "isa=avx3 fp16=0 l1=1 l2=1 l3=1 cores=1",
        "isa=avx2 fp16=2 l1=1 l2=1 l3=1 cores=1",
        "isa=avx2 fp16=0 bf16dot=2 l1=1 l2=1 l3=1 cores=1",
        "isa=avx2 fp16=0 l1=x l2=1 l3=1 cores=1",
        "isa=avx2 fp16=0 l1=1 l2=1 l3=1 cores=1 more",
        "isa=avx2 fp16=0 l1=1 l2=1 l3=1 cores="})
    EXPECT_FALSE(parseTarget(text).isOk()) << text;
}
