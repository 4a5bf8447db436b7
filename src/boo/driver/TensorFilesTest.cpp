//===- TensorFilesTest.cpp ------------------------------------------------===//

#include "boo/driver/TensorFiles.h"
#include "boo/driver/records/Npy.h"
#include "boo/runtime/Files.h"

#include <cstring>
#include <gmock/gmock.h>
#include <unistd.h>

using namespace boo;
using testing::ElementsAre;
using testing::HasSubstr;

namespace {
class TensorFile : public testing::Test {
protected:
  void SetUp() override {
    Path = testing::TempDir() + "boo-npy-XXXXXX";
    int fd = ::mkstemp(Path.data());
    ASSERT_GE(fd, 0);
    ::close(fd);
  }
  void TearDown() override { ::unlink(Path.c_str()); }

  /// A file of these elements.
  template <typename T>
  void write(const char *descr, bool fortran, std::vector<int64_t> shape,
             const std::vector<T> &values) {
    std::string bytes = printNpyHead({descr, fortran, std::move(shape), 0});
    bytes.append(reinterpret_cast<const char *>(values.data()),
                 values.size() * sizeof(T));
    ASSERT_TRUE(writeFile(Path, bytes).isOk());
  }
  static TensorType type(std::vector<int64_t> sizes,
                         std::vector<int64_t> strides,
                         DType dtype = DType::F32) {
    TensorType result;
    result.dtype = dtype;
    for (int64_t size : sizes)
      result.sizes.push_back(Dim(size));
    result.strides = std::move(strides);
    return result;
  }

  std::string Path;
};
} // namespace

TEST_F(TensorFile, stridesDoNotShowInTheFile) {
  // Columns side by side, with a gap.
  float data[8] = {1, 4, -1, -1, 2, 5, -1, -1};
  ASSERT_TRUE(saveTensor(Path, type({2, 2}, {1, 4}), data).isOk());
  std::string bytes = *readFile(Path);
  float rows[4];
  std::memcpy(rows, bytes.data() + bytes.size() - sizeof rows, sizeof rows);
  EXPECT_THAT(rows, ElementsAre(1, 2, 4, 5));
  float back[8] = {};
  ASSERT_TRUE(loadTensor(Path, type({2, 2}, {1, 4}), back).isOk());
  EXPECT_THAT(back, ElementsAre(1, 4, 0, 0, 2, 5, 0, 0));
}

TEST_F(TensorFile, columnsComeFirstInFortranOrder) {
  write<float>("<f4", true, {2, 3}, {1, 4, 2, 5, 3, 6});
  float data[6];
  Status status = loadTensor(Path, type({2, 3}, {3, 1}), data);
  ASSERT_TRUE(status.isOk()) << status.toString();
  EXPECT_THAT(data, ElementsAre(1, 2, 3, 4, 5, 6));
}

TEST_F(TensorFile, whatDoesNotFitIsNamed) {
  float data[6];
  auto message = [&] {
    return loadTensor(Path, type({2, 3}, {3, 1}), data).message();
  };
  write<float>("<f4", false, {3, 2}, {1, 2, 3, 4, 5, 6});
  EXPECT_THAT(message(), HasSubstr(Path + ": its sizes are (3, 2), but this "
                                          "input's are (2, 3)"));
  write<float>(">f4", false, {2, 3}, {1, 2, 3, 4, 5, 6});
  EXPECT_THAT(message(), HasSubstr("its elements are '>f4', but f32 takes"));
  write<float>("<f4", false, {2, 3}, {1, 2, 3, 4, 5});
  EXPECT_THAT(message(), HasSubstr("20 bytes of elements, but its head tells "
                                   "of 24"));
  write<float>("<f4", false, {2, 3}, {1, 2, 3, 4, 5, 6, 7});
  EXPECT_THAT(message(), HasSubstr("28 bytes of elements"));
  ASSERT_TRUE(writeFile(Path, "").isOk());
  EXPECT_THAT(message(), HasSubstr(Path + ": this is no .npy file"));
  ::unlink(Path.c_str());
  EXPECT_THAT(message(), HasSubstr("--save with the same command"));
  EXPECT_THAT(loadTensor("/dev/null", type({2, 3}, {3, 1}), data).message(),
              HasSubstr("no regular file"));
}
