//===- ExpandMathTailsTest.cpp - No tail needs a library ------------------===//
//
// Every pointwise function, and casts between all float types, behind a
// convolution, for every target. The linker refuses undefined symbols, so that
// a compile that succeeds is the test.
//
//===----------------------------------------------------------------------===//

#include "boo/compiler/Compiler.h"

#include "llvm/ADT/ArrayRef.h"

#include <gtest/gtest.h>
#include <sstream>
#include <stdlib.h>
#include <unistd.h>

using namespace boo;
using namespace boo::compiler;

namespace {

struct Function {
  const char *name;
  int operands;
  const char *parameters;
};

const Function Functions[] = {
#define BOO_POINTWISE(Enumerator, spelling, operands, parameters)              \
  {spelling, operands, parameters},
#include "boo/graph/PointwiseFns.inc"
};

/// A small convolution and a tail: with `all`, of all functions one after
/// another, else of a few. `strides` are those of every tensor of the tail.
std::string graphText(DType dtype, const std::string &strides, bool all) {
  std::string name(dtypeName(dtype)), shape = "[1,20,2,3]" + strides;
  std::string type = name + shape;
  std::ostringstream text;
  text << "boo.graph 1\n%0 = input " << type << "\n%1 = input " << name
       << "[20,20,1,1]\n%2 = input " << type
       << "\n%3 = conv(%0, %1) {acc = " << (dtype == DType::F64 ? "f64" : "f32")
       << ", dilation = [1, 1], groups = 1, pad_hi = [0, 0], pad_lo = [0, 0], "
          "stride = [1, 1]} : "
       << type << "\n";
  int last = 3;
  for (const Function &function :
       llvm::ArrayRef(Functions, all ? std::size(Functions) : 2)) {
    text << "%" << last + 1 << " = pointwise(%" << last
         << (function.operands == 2 ? ", %2" : "") << ") {fn = \""
         << function.name << "\"";
    std::istringstream parameters(function.parameters);
    for (std::string parameter; std::getline(parameters, parameter, ',');)
      text << ", " << parameter << " = 0.5";
    text << "} : " << type << "\n";
    ++last;
  }
  for (DType to : {DType::BF16, DType::F64, DType::F16, DType::F32, DType::BF16,
                   DType::F16, dtype}) {
    text << "%" << last + 1 << " = cast(%" << last
         << ") {to = " << dtypeName(to) << "} : " << dtypeName(to)
         << "[1,20,2,3]\n";
    ++last;
  }
  text << "return %" << last << "\n";
  return text.str();
}

void expectLinks(const Target &target, const std::string &input) {
  auto graph = parseGraph(input);
  ASSERT_TRUE(graph.isOk()) << graph.status().message();
  std::string text = printGraph(canonicalize(*graph));
  std::string targetText = printTarget(target);
  std::string path = testing::TempDir() + "boo-tail-XXXXXX";
  int file = mkstemp(path.data());
  ASSERT_GE(file, 0) << path;
  close(file);

  boo_compile_request request = {};
  request.struct_size = sizeof(request);
  request.graph_text = text.c_str();
  request.target_text = targetText.c_str();
  request.math = "default";
  request.tuning_entry = request.transforms = request.key = request.builds = "";
  request.dump_dir = request.mlir_path = "";
  request.name = "tail";
  request.output_path = path.c_str();
  Status compiled = compileGroup(request);
  unlink(path.c_str());
  EXPECT_TRUE(compiled.isOk()) << compiled.message() << "\n" << text;
}

class ExpandMathTailsTest
    : public testing::TestWithParam<std::tuple<Target, DType>> {};

TEST_P(ExpandMathTailsTest, AllFunctions) {
  auto [target, dtype] = GetParam();
  expectLinks(target, graphText(dtype, "{0,1,60,20}", /*all=*/true));
}

// Rows, columns and single elements are stored in different ways.
TEST_P(ExpandMathTailsTest, AllLayouts) {
  auto [target, dtype] = GetParam();
  for (const char *strides : {"{0,1,60,20}", "{0,6,3,1}", "{0,2,120,40}"})
    expectLinks(target, graphText(dtype, strides, /*all=*/false));
}

std::string nameOf(const testing::TestParamInfo<std::tuple<Target, DType>> &p) {
  auto [target, dtype] = p.param;
  return std::string(isaName(target.isa)) + (target.avx512Fp16 ? "_fp16" : "") +
         "_" + std::string(dtypeName(dtype));
}

INSTANTIATE_TEST_SUITE_P(
    All, ExpandMathTailsTest,
    testing::Combine(
        testing::Values(Target{.isa = Isa::Generic}, Target{.isa = Isa::Avx2},
                        Target{.isa = Isa::Avx512},
                        Target{.isa = Isa::Avx512, .avx512Fp16 = true},
                        Target{.isa = Isa::Amx}),
        testing::Values(DType::F32, DType::F64, DType::BF16, DType::F16)),
    nameOf);

} // namespace
