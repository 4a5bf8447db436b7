//===- NpyTest.cpp --------------------------------------------------------===//

#include "boo/driver/records/Npy.h"

#include <gmock/gmock.h>

using namespace boo;
using testing::ElementsAre;
using testing::HasSubstr;

/// A file of format `major`.0 with this dictionary.
static std::string file(const std::string &dictionary, int major = 1) {
  std::string text = std::string("\x93NUMPY") + char(major) + '\0';
  size_t n = dictionary.size();
  for (int i = 0; i != (major == 1 ? 2 : 4); ++i, n >>= 8)
    text += char(n & 0xff);
  return text + dictionary;
}

TEST(Npy, headIsWhatNumPyWrites) {
  // numpy.save of numpy.zeros((2, 3), 'f4'), up to the elements.
  std::string expected =
      file("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }" +
           std::string(58, ' ') + "\n");
  EXPECT_EQ(printNpyHead({"<f4", false, {2, 3}, 0}), expected);
  EXPECT_EQ(expected.size() % 64, 0u);
}

TEST(Npy, headsComeBack) {
  for (const NpyHead &head :
       {NpyHead{"<f8", false, {}, 0}, NpyHead{"|b1", true, {7}, 0},
        NpyHead{"<u2", false, {0, int64_t(1) << 40}, 0},
        NpyHead{"<f2", true, std::vector<int64_t>(200, 1), 0}}) {
    std::string text = printNpyHead(head);
    EXPECT_EQ(text.size() % 64, 0u);
    auto again = parseNpyHead(text);
    ASSERT_TRUE(again.isOk()) << again.status().toString();
    EXPECT_EQ(again->descr, head.descr);
    EXPECT_EQ(again->fortranOrder, head.fortranOrder);
    EXPECT_EQ(again->shape, head.shape);
    EXPECT_EQ(again->dataOffset, text.size());
  }
}

TEST(Npy, keysInAnyOrderAndLaterFormats) {
  for (int major : {1, 2, 3}) {
    auto head = parseNpyHead(
        file("{\"shape\":(4,5),'fortran_order':True,'descr':'<i4'}", major));
    ASSERT_TRUE(head.isOk()) << head.status().toString();
    EXPECT_THAT(head->shape, ElementsAre(4, 5));
    EXPECT_TRUE(head->fortranOrder);
    EXPECT_EQ(head->numElements(), 20);
  }
}

TEST(Npy, damageIsAnError) {
  auto message = [](const std::string &text) {
    return parseNpyHead(text).status().message();
  };
  EXPECT_THAT(message("PK\3\4"), HasSubstr("no .npy file"));
  EXPECT_THAT(message("\x93NUMPY"), HasSubstr("no .npy file"));
  EXPECT_THAT(message(file("{}", 4)), HasSubstr("format 4.0 is unknown"));
  std::string good = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}";
  EXPECT_TRUE(parseNpyHead(file(good)).isOk());
  for (size_t cut = 0; cut != file(good).size(); ++cut)
    EXPECT_FALSE(parseNpyHead(file(good).substr(0, cut)).isOk()) << cut;
  for (const char *bad :
       {"", "{}", "{'descr': '<f4'}",
        "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,)}",
        "{'descr': '<f4', 'fortran_order': 0, 'shape': (2,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': 2}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-2,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2 3)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), 'x': 'y'}",
        "{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': ()}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2,)} x"})
    EXPECT_THAT(message(file(bad)), HasSubstr("its head is damaged")) << bad;
  EXPECT_THAT(message(file("{'descr': '<f4', 'fortran_order': False, 'shape': "
                           "(4611686018427387904, 4)}")),
              HasSubstr("larger than any file"));
}

TEST(Npy, elementTypes) {
  EXPECT_TRUE(npyHolds("<f4", DType::F32));
  EXPECT_FALSE(npyHolds(">f4", DType::F32));
  EXPECT_FALSE(npyHolds("<f2", DType::BF16));
  EXPECT_TRUE(npyHolds("<u2", DType::BF16));
  EXPECT_TRUE(npyHolds("|V2", DType::BF16));
  EXPECT_FALSE(npyHolds("|V2", DType::F16));
}
