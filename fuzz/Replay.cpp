//===- Replay.cpp - A fuzz target without a fuzzer ------------------------===//
//
// Runs LLVMFuzzerTestOneInput on every file of the folders given, so that the
// seeds and past findings are a test of every build.
//
//===----------------------------------------------------------------------===//

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int main(int argc, char **argv) {
  int files = 0;
  for (int i = 1; i < argc; ++i)
    for (const auto &entry : std::filesystem::directory_iterator(argv[i])) {
      std::ifstream file(entry.path(), std::ios::binary);
      std::string bytes((std::istreambuf_iterator<char>(file)),
                        std::istreambuf_iterator<char>());
      std::fprintf(stderr, "%s\n", entry.path().c_str());
      LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t *>(bytes.data()),
                             bytes.size());
      ++files;
    }
  LLVMFuzzerTestOneInput(nullptr, 0);
  std::printf("%d inputs\n", files);
  return files > 0 ? 0 : 1;
}
