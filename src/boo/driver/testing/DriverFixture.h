//===- DriverFixture.h - Calls of `boo driver` in a test --------*- C++ -*-===//
#pragma once

#include "boo/driver/Backend.h"
#include "boo/driver/DriverCommand.h"
#include "boo/driver/commands/CommandText.h"
#include "boo/runtime/Files.h"

#include <csignal>
#include <gmock/gmock.h>
#include <unistd.h>

namespace boo {

struct Outcome {
  int status = -1;
  std::string out, err;
};

/// A folder of its own for each test.
class DriverFixture : public testing::Test {
protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "boo-driver-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    Folder = name;
    registerBackend("wrong", [](const Graph &graph, const CompileOptions &) {
      return StatusOr<std::unique_ptr<Runner>>(
          std::make_unique<Wrong>(graph, [] {}));
    });
    registerBackend("interrupting",
                    [](const Graph &graph, const CompileOptions &) {
                      return StatusOr<std::unique_ptr<Runner>>(
                          std::make_unique<Wrong>(graph, [] {
                            static int calls = 0;
                            if (++calls == 4)
                              ::kill(::getppid(), SIGINT); // it is a worker
                          }));
                    });
  }
  void TearDown() override {
    for (const std::string &name : listDirectory(Folder))
      ::unlink((Folder + "/" + name).c_str());
    ::rmdir(Folder.c_str());
  }

  /// Runs a line on the reference backend unless it names one.
  static Outcome run(const std::string &line) {
    auto tokens = splitCommand(line);
    EXPECT_TRUE(tokens.isOk());
    if (line.find("--backend") == line.npos) {
      tokens->insert(tokens->begin(), "reference");
      tokens->insert(tokens->begin(), "--backend");
    }
    Outcome result;
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    result.status = driverCommand(*tokens);
    result.out = testing::internal::GetCapturedStdout();
    result.err = testing::internal::GetCapturedStderr();
    return result;
  }

  std::string file(const std::string &name, const std::string &text) {
    std::string path = Folder + "/" + name;
    std::FILE *out = std::fopen(path.c_str(), "w");
    std::fwrite(text.data(), 1, text.size(), out);
    std::fclose(out);
    return path;
  }

  std::string Folder;

private:
  /// Leaves the output as it was: NaN.
  class Wrong : public Runner {
  public:
    Wrong(const Graph &, std::function<void()> action)
        : Action(std::move(action)) {
      Info.algorithm = "direct";
      Info.cache = "off";
    }
    const RunnerInfo &info() const override { return Info; }
    int64_t memoryBytes(int) const override { return 0; }
    Status prepare(std::span<const void *const>, int) override {
      return Status::ok();
    }
    Status run(std::span<const void *const>, std::span<void *const>,
               int) override {
      Action();
      return Status::ok();
    }

  private:
    std::function<void()> Action;
    RunnerInfo Info;
  };
};

inline std::vector<std::string> linesOf(const std::string &text) {
  std::vector<std::string> lines;
  for (size_t at = 0; at < text.size();) {
    size_t end = std::min(text.find('\n', at), text.size());
    lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

} // namespace boo
