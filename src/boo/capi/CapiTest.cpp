//===- CapiTest.cpp - The C interface, with a fake compiler ---------------===//

#include "boo/boo.h"

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <gmock/gmock.h>
#include <thread>

using ::testing::HasSubstr;

// The environment is read once, at its first use in main() or later.
[[maybe_unused]] static const int environment =
    ::setenv("BOO_COMPILER_PLUGIN", BOO_FAKE_COMPILER, 1);

static std::string graphOf(const std::string &fn) {
  return "boo.graph 1\n%0 = input f32[4096]{1}\n%1 = pointwise(%0) {fn = \"" +
         fn + "\"} : f32[4096]{1}\nreturn %1\n";
}

namespace {
class CapiTest : public ::testing::Test {
protected:
  CapiTest() {
    std::string pattern = "/tmp/boo-test-XXXXXX";
    Dir = ::mkdtemp(pattern.data());
    boo_options_init(&Options);
    Options.cache_dir = Dir.c_str();
    Options.target = "generic";
  }
  ~CapiTest() override {
    boo_destroy(Op);
    std::filesystem::remove_all(Dir);
  }

  std::string Dir;
  boo_options Options;
  boo_op *Op = nullptr;
};
} // namespace

TEST_F(CapiTest, MakesDescribesAndRuns) {
  EXPECT_EQ(boo_api_version(), uint32_t(BOO_API_VERSION));
  ASSERT_EQ(
      boo_create_from_graph(graphOf("relu").c_str(), "my_relu", &Options, &Op),
      BOO_OK)
      << boo_last_error();
  EXPECT_STREQ(boo_name(Op), "my_relu");
  ASSERT_EQ(boo_num_arguments(Op), 1u);
  ASSERT_EQ(boo_num_outputs(Op), 1u);
  boo_tensor tensor;
  ASSERT_EQ(boo_argument(Op, 0, &tensor), BOO_OK);
  EXPECT_EQ(tensor.dtype, BOO_F32);
  ASSERT_EQ(tensor.rank, 1);
  EXPECT_EQ(tensor.sizes[0], 4096);
  EXPECT_EQ(tensor.strides[0], 1);
  EXPECT_EQ(tensor.bytes, 4 * 4096);
  ASSERT_EQ(boo_output(Op, 0, &tensor), BOO_OK);
  EXPECT_EQ(tensor.bytes, 4 * 4096);
  EXPECT_GE(boo_memory_bytes(Op, 2), 16384 + 2 * 256);

  std::vector<float> x(4096, -3), y(4096, 7);
  x[1] = 5;
  const void *in[] = {x.data()};
  void *out[] = {y.data()};
  ASSERT_EQ(boo_run(Op, in, out, 0), BOO_OK) << boo_last_error();
  EXPECT_EQ(y[0], 0);
  EXPECT_EQ(y[1], 5);
  EXPECT_STREQ(boo_last_error(), "");
}

TEST_F(CapiTest, ErrorsAreCodesWithReasons) {
  EXPECT_EQ(boo_create_from_graph("nonsense", nullptr, &Options, &Op),
            BOO_INVALID_ARGUMENT);
  EXPECT_EQ(Op, nullptr);
  EXPECT_STRNE(boo_last_error(), "");
  EXPECT_EQ(boo_create_from_graph(graphOf("neg").c_str(), "n", &Options, &Op),
            BOO_COMPILE_ERROR);
  EXPECT_STREQ(boo_last_error(), "n: op neg: refused by pass fake-lowering");
  EXPECT_EQ(boo_create_from_command("conv -n 0", &Options, &Op),
            BOO_INVALID_ARGUMENT);
  EXPECT_EQ(boo_create_from_command(nullptr, &Options, &Op),
            BOO_INVALID_ARGUMENT);
  Options.target = "z80";
  EXPECT_EQ(
      boo_create_from_graph(graphOf("relu").c_str(), nullptr, &Options, &Op),
      BOO_INVALID_ARGUMENT);
  EXPECT_THAT(boo_last_error(), HasSubstr("unknown target 'z80'"));
}

TEST_F(CapiTest, RunErrors) {
  ASSERT_EQ(
      boo_create_from_graph(graphOf("relu").c_str(), nullptr, &Options, &Op),
      BOO_OK)
      << boo_last_error();
  std::vector<float> x(4096, NAN), y(4096);
  const void *in[] = {x.data()}, *none[] = {nullptr};
  void *out[] = {y.data()};
  EXPECT_EQ(boo_run(Op, in, out, 2), BOO_KERNEL_ERROR);
  EXPECT_THAT(boo_last_error(), HasSubstr("a value is NaN"));
  EXPECT_EQ(boo_run(Op, none, out, 1), BOO_INVALID_ARGUMENT);
  EXPECT_STREQ(boo_last_error(), "no buffer for argument 0");
  EXPECT_EQ(boo_run(Op, in, out, -1), BOO_INVALID_ARGUMENT);
  boo_tensor tensor;
  EXPECT_EQ(boo_argument(Op, 1, &tensor), BOO_INVALID_ARGUMENT);
  // Another thread's error is its own.
  std::thread([] { EXPECT_STREQ(boo_last_error(), ""); }).join();
  EXPECT_STRNE(boo_last_error(), "");
  boo_destroy(nullptr);
}

TEST_F(CapiTest, OlderAndBrokenOptions) {
  // A program that knew all fields but the last: what lies there is not one.
  Options.struct_size = offsetof(boo_options, pack_constants);
  Options.pack_constants = 77;
  ASSERT_EQ(
      boo_create_from_graph(graphOf("relu").c_str(), nullptr, &Options, &Op),
      BOO_OK)
      << boo_last_error();
  std::vector<float> x(4096), y(4096);
  const void *in[] = {x.data()};
  void *out[] = {y.data()};
  EXPECT_EQ(boo_run(Op, in, out, 1), BOO_OK) << boo_last_error();
  boo_options zero = {};
  boo_op *none;
  EXPECT_EQ(
      boo_create_from_graph(graphOf("relu").c_str(), nullptr, &zero, &none),
      BOO_INVALID_ARGUMENT);
}
