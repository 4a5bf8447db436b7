//===- DriverCommandTest.cpp - What users and scripts rely on -------------===//

#include "boo/driver/DriverCommand.h"
#include "boo/driver/Backend.h"
#include "boo/driver/Report.h"
#include "boo/driver/commands/CommandText.h"
#include "boo/runtime/Files.h"
#include "boo/runtime/cpu/Threads.h"

#include <chrono>
#include <csignal>
#include <gmock/gmock.h>
#include <nlohmann/json.hpp>
#include <thread>
#include <unistd.h>

using namespace boo;
using testing::HasSubstr;
using testing::MatchesRegex;
using testing::Not;
using testing::StartsWith;

namespace {
struct Outcome {
  int status = -1;
  std::string out, err;
};

/// A folder of its own for each test.
class DriverCommand : public testing::Test {
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
                              ::raise(SIGINT);
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
} // namespace

static std::vector<std::string> linesOf(const std::string &text) {
  std::vector<std::string> lines;
  for (size_t at = 0; at < text.size();) {
    size_t end = std::min(text.find('\n', at), text.size());
    lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

static const std::string Small = "conv -n 1 -c 2 -H 4 -W 5 -k 3";

TEST_F(DriverCommand, humanFormat) {
  Outcome o = run("convbfp16 -n 2 -c 2 -H 4 -W 5 -k 3 -F 1 -t 1 --iter 6 "
                  "--in_layout NHWC --out_layout NHWC --fil_layout NHWC");
  EXPECT_EQ(o.status, 0) << o.err;
  std::vector<std::string> lines = linesOf(o.out);
  ASSERT_EQ(lines.size(), 3u) << o.out;
  EXPECT_EQ(lines[0], "convbfp16 -n 2 -c 2 -H 4 -W 5 -k 3 -F 1 --iter 6 "
                      "--in_layout NHWC --out_layout NHWC --fil_layout NHWC");
  EXPECT_EQ(lines[1], ">>> tensor([...], device='cpu', size=(2, 2, 3, 3), "
                      "dtype=torch.bfloat16)");
  EXPECT_THAT(lines[2],
              MatchesRegex(">>> min=[0-9]+\\.[0-9][0-9]us max=[0-9.]+us "
                           "mean=[0-9.]+us stddev=[0-9.]+us"));
}

TEST_F(DriverCommand, timeIsOffByDefault) {
  Outcome o = run(Small);
  EXPECT_EQ(o.status, 0);
  EXPECT_EQ(linesOf(o.out).size(), 2u);
}

TEST_F(DriverCommand, jsonFields) {
  Outcome o = run("--json " + Small + " --iter 5 --verify --threads 2 -t 1");
  EXPECT_EQ(o.status, 0) << o.err;
  ASSERT_EQ(linesOf(o.out).size(), 1u) << o.out;
  auto json = nlohmann::ordered_json::parse(o.out);
  std::vector<std::string> names;
  for (const auto &item : json.items())
    names.push_back(item.key());
  EXPECT_EQ(joinCommand(names),
            "command backend direction device dtype threads iters min_us "
            "max_us mean_us median_us stddev_us p10_us p90_us gflops gbps "
            "peak_gflops peak_kind peak_fraction compile_ms load_ms "
            "first_call_ms workspace_bytes cache algorithm schedule artifact "
            "verified max_abs_err max_rel_err bound error");
  EXPECT_EQ(json["command"], Small);
  EXPECT_EQ(json["backend"], "reference");
  EXPECT_EQ(json["threads"], 2);
  EXPECT_EQ(json["iters"], 5);
  EXPECT_EQ(json["verified"], true);
  EXPECT_EQ(json["error"], nullptr);
  EXPECT_EQ(json["compile_ms"], nullptr);
  EXPECT_GT(json["median_us"], 0);
  EXPECT_GE(json["bound"], json["max_abs_err"]);
  EXPECT_EQ(nlohmann::json::parse(run("--json " + Small).out)["verified"],
            nullptr);
}

TEST_F(DriverCommand, directionsOneAfterTheOther) {
  Outcome o = run("--json --iter 2 " + Small + " -F 0 --verify");
  EXPECT_EQ(o.status, 0) << o.err;
  std::vector<std::string> lines = linesOf(o.out);
  ASSERT_EQ(lines.size(), 3u) << o.out;
  const char *directions[] = {"forward", "input_backward", "weight_backward"};
  for (size_t i = 0; i != 3; ++i) {
    auto json = nlohmann::json::parse(lines[i]);
    EXPECT_EQ(json["command"], Small + " -F " + std::to_string(1 << i));
    EXPECT_EQ(json["direction"], directions[i]);
    EXPECT_EQ(json["verified"], true);
    EXPECT_EQ(json["iters"], 2);
  }
  // What one direction does not have costs that one alone.
  o = run(Small + " -F 3 --residual");
  EXPECT_EQ(o.status, 2);
  EXPECT_EQ(linesOf(o.out).size(), 2u) << o.out;
  EXPECT_THAT(o.err, HasSubstr("--residual: only the forward direction"));
}

TEST_F(DriverCommand, jsonReportsErrors) {
  Outcome o = run("--json conv -U fp8");
  EXPECT_EQ(o.status, 1);
  auto json = nlohmann::json::parse(o.out);
  EXPECT_THAT(std::string(json["error"]), HasSubstr("there is no such type"));
  EXPECT_EQ(json["median_us"], nullptr);
  EXPECT_EQ(json["threads"], nullptr);
  EXPECT_EQ(json["iters"], nullptr);
  RunResult bytes = failedResult("conv \xff\xfe", "boo", internalError("\xc3"));
  EXPECT_NO_THROW((void)nlohmann::json::parse(jsonReport(bytes)));
}

TEST_F(DriverCommand, exitStatus) {
  EXPECT_EQ(run(Small).status, 0);
  EXPECT_EQ(run(Small + " --verify").status, 0);
  EXPECT_EQ(run("").status, 2);
  EXPECT_EQ(run("--help").status, 0);
  EXPECT_EQ(run("conv --help").status, 0);
  EXPECT_THAT(run("conv --help").out, HasSubstr("--fil_layout TEXT"));
  EXPECT_EQ(run("cnv").status, 2);
  EXPECT_EQ(run("conv --bogus").status, 2);
  EXPECT_EQ(run("conv -H 0").status, 2);
  EXPECT_EQ(run("conv -U fp8").status, 1);
  EXPECT_EQ(run(Small + " --iter 0").status, 2);
  EXPECT_EQ(run(Small + " --math sloppy").status, 2);
  EXPECT_EQ(run(Small + " --target mmx").status, 2);
  EXPECT_EQ(run(Small + " --backend torch").status, 1);
  EXPECT_EQ(run(Small + " --backend torhc").status, 2);
  EXPECT_EQ(run(Small + " --csv /nonexistent/x.csv").status, 1);
  EXPECT_EQ(run("--commands-file /nonexistent/x").status, 2);
  EXPECT_EQ(run(Small + " --gpu-id 3").status, 0);
  EXPECT_EQ(run("graph /nonexistent.graph").status, 2);
  EXPECT_EQ(run("graph /").status, 2);
}

TEST_F(DriverCommand, memoryIsRefusedBeforehand) {
  Outcome o = run("conv -n 100000 -c 1000 -H 1000 -W 1000 -k 1");
  EXPECT_EQ(o.status, 1);
  EXPECT_THAT(o.err, HasSubstr("out of memory: inputs and outputs"));
  EXPECT_THAT(o.err, HasSubstr("available"));
}

TEST_F(DriverCommand, wrongResultsFailWithALineToRepeat) {
  Outcome o = run(Small + " --backend wrong --verify --seed 5 -t 1 --iter 2");
  EXPECT_EQ(o.status, 1);
  EXPECT_THAT(o.out, HasSubstr(">>> NOT verified: check 'random' (seed 5)"));
  EXPECT_THAT(o.err, HasSubstr("repeat with: boo driver " + Small +
                               " --iter 2 --verify --seed 5 --backend wrong"));
}

TEST_F(DriverCommand, severalBackends) {
  Outcome o = run("--json " + Small +
                  " --iter 2 --backend reference --backend wrong --verify");
  EXPECT_EQ(o.status, 1);
  std::vector<std::string> lines = linesOf(o.out);
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(nlohmann::json::parse(lines[0])["verified"], true);
  EXPECT_EQ(nlohmann::json::parse(lines[1])["verified"], false);
}

TEST_F(DriverCommand, badLinesCostThemselves) {
  std::string path = file("list.txt", "# comment\n\n" + Small +
                                          "\nconv -n 1 -y 99\nconv 'x\ncnv\n" +
                                          Small + " --json\nconvfp16 -n 1\n");
  Outcome o = run("--commands-file " + path + " --iter 1 -c 1");
  EXPECT_EQ(o.status, 1);
  EXPECT_THAT(o.out, StartsWith(Small + " -c 1\n>>> tensor"));
  EXPECT_THAT(o.out, HasSubstr("convfp16 -n 1 -c 1\n"));
  EXPECT_THAT(o.err, HasSubstr("6 of 6 commands ran, 4 failed"));
  EXPECT_THAT(o.err, HasSubstr("line 4: conv -n 1 -y 99"));
  EXPECT_THAT(o.err, HasSubstr("did you mean 'conv'?"));
  EXPECT_THAT(o.err, HasSubstr("repeat with: boo driver conv -n 1 -y 99"));
  for (const std::string &line : linesOf(o.err.substr(o.err.find("6 of 6"))))
    if (line.find("repeat with:") == line.npos)
      EXPECT_LE(line.size(), 80u) << line;
  std::string empty = file("empty.txt", "# nothing\n");
  EXPECT_EQ(run("--commands-file " + empty).status, 2);
  EXPECT_EQ(run("--commands-file " + path + " conv").status, 2);
}

TEST_F(DriverCommand, tsvFile) {
  std::string path = file("list.tsv", "conv\t-n\t1\t-c\t2\t-H\t4\n");
  Outcome o = run("--commands-file " + path);
  EXPECT_EQ(o.status, 0) << o.err;
  EXPECT_THAT(o.out, StartsWith("conv -n 1 -c 2 -H 4\n"));
}

TEST_F(DriverCommand, csv) {
  std::string path = file("list.txt", Small + "\nconv -n 0\n");
  std::string csv = Folder + "/out.csv";
  Outcome o = run("--commands-file " + path + " --csv " + csv +
                  " --backend reference --backend wrong -t 1 --iter 3");
  EXPECT_EQ(o.status, 1);
  EXPECT_EQ(o.out, "");
  std::vector<std::string> lines = linesOf(*readFile(csv));
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_THAT(lines[0],
              StartsWith("arguments,reference min,reference max,reference "
                         "mean,reference stddev,reference num_dispatches,"));
  EXPECT_THAT(lines[0], HasSubstr(",wrong min,"));
  EXPECT_THAT(lines[1], StartsWith(Small + ","));
  EXPECT_THAT(lines[2], StartsWith("conv -n 0,N.A.,N.A.,"));
  auto untimed = run("--commands-file " + path + " --csv " + csv);
  EXPECT_THAT(*readFile(csv), HasSubstr(Small + ",untimed,untimed"));
  EXPECT_THAT(run(Small + " --csv " + csv + " --verbose").out,
              HasSubstr(">>> tensor"));
}

TEST_F(DriverCommand, interruptKeepsWhatIsDone) {
  std::string path = file("list.txt", Small + "\n" + Small + "\n" + Small);
  std::string csv = Folder + "/out.csv";
  Outcome o = run("--commands-file " + path + " --csv " + csv +
                  " --backend interrupting -t 1 --iter 1 --warmup 0");
  EXPECT_EQ(o.status, 130);
  EXPECT_THAT(o.err, HasSubstr("2 of 3 commands ran, 0 failed (interrupted)"));
  EXPECT_EQ(linesOf(*readFile(csv)).size(), 3u);
}

/// Sends SIGINT to the thread that made it, 50 ms later.
namespace {
class InterruptSoon {
public:
  InterruptSoon()
      : Thread([main = ::pthread_self()] {
          std::this_thread::sleep_for(std::chrono::milliseconds(50));
          ::pthread_kill(main, SIGINT);
        }) {}

private:
  std::jthread Thread;
};
} // namespace

TEST_F(DriverCommand, interruptStopsTheReference) {
  // Minutes of work.
  std::string large = "conv -_ 1 -n 1 -c 64 -H 100000 -k 64 -y 2000";
  for (const char *how : {" --backend reference -t 1", " --backend reference",
                          " --backend wrong --verify"}) {
    InterruptSoon soon;
    Outcome o = run(large + how);
    EXPECT_EQ(o.status, 130) << how;
    EXPECT_THAT(o.err, Not(HasSubstr("error"))) << how;
    EXPECT_THAT(o.out, Not(HasSubstr("tensor"))) << how;
  }
}

TEST_F(DriverCommand, interruptWhileCommandsAreRead) {
  int ends[2], old = ::dup(STDIN_FILENO);
  ASSERT_EQ(::pipe(ends), 0);
  ::dup2(ends[0], STDIN_FILENO);
  {
    InterruptSoon soon;
    EXPECT_EQ(run("--commands-file -").status, 130);
  }
  ::dup2(old, STDIN_FILENO);
  for (int fd : {ends[0], ends[1], old})
    ::close(fd);
}

TEST_F(DriverCommand, graphFile) {
  std::string path = file("g.graph", "boo.graph 1\n%0 = input f32[2,3]{3,1}\n"
                                     "%1 = pointwise(%0) {fn = \"relu\"} : "
                                     "f32[2,3]{3,1}\nreturn %1\n");
  Outcome o = run("graph " + path + " --verify --numerics-verbose --explain");
  EXPECT_EQ(o.status, 0) << o.err;
  EXPECT_THAT(o.out, HasSubstr("size=(2, 3), dtype=torch.float32"));
  EXPECT_THAT(o.out, HasSubstr(">>> check random (seed 0): ok, 6 results"));
  EXPECT_THAT(o.out, HasSubstr(">>> algorithm: "));
  std::string bad = file("bad.graph", "boo.graph 1\nnonsense\n");
  EXPECT_EQ(run("graph " + bad).status, 2);
}

TEST_F(DriverCommand, sameSeedSameFigures) {
  auto figures = [](const std::string &flags) {
    auto json = nlohmann::json::parse(
        run("--json --iter 1 --verify " + Small + flags).out);
    return double(json["max_abs_err"]);
  };
  EXPECT_EQ(figures(" --seed 3"), figures(" --seed 3"));
  EXPECT_NE(figures(" --seed 3"), figures(" --seed 4"));
  EXPECT_EQ(figures(" --splat-input-value 0.5"), 0);
}

TEST_F(DriverCommand, notesAreNotErrors) {
  Outcome o = run(Small + " -w 1 --numerics-mean-atol 3");
  EXPECT_EQ(o.status, 0);
  EXPECT_THAT(o.err, HasSubstr("boo: note: --wall (-w) '1' is ignored"));
  EXPECT_THAT(o.err, HasSubstr("--numerics-mean-atol '3' is ignored"));
}

TEST_F(DriverCommand, flagsWithoutEffectAreNoted) {
  std::string idle = " --warmup 3 --numerics-verbose --numerics-min-samples 9 "
                     "--skip-structured-tests";
  Outcome o = run(Small + idle);
  EXPECT_EQ(o.status, 0);
  EXPECT_EQ(o.err, "boo: note: --warmup is ignored without -t 1\n"
                   "boo: note: --skip-structured-tests is ignored without "
                   "--verify\n"
                   "boo: note: --numerics-verbose is ignored without --verify\n"
                   "boo: note: --numerics-min-samples is ignored without "
                   "--verify\n");
  EXPECT_THAT(run(Small + idle + " --verify -t 1 --iter 1").err,
              Not(HasSubstr("ignored")));
  EXPECT_THAT(run("--json " + Small + " --warmup 1 --iter 1").err,
              Not(HasSubstr("ignored")));
}

TEST_F(DriverCommand, limitsNameTheFlag) {
  Outcome o = run(Small + " --threads 4097000");
  EXPECT_EQ(o.status, 2);
  EXPECT_THAT(o.err, HasSubstr("--threads 4097000: must lie between 1 and " +
                               std::to_string(maxThreads())));
  o = run(Small + " --target foo");
  EXPECT_EQ(o.status, 2);
  EXPECT_THAT(o.err, HasSubstr("--target: unknown target 'foo': expected host, "
                               "generic, avx2, avx512 or amx"));
}

TEST(Report, tensorText) {
  EXPECT_EQ(tensorText({128, 24, 48, 384}, DType::BF16),
            "tensor([...], device='cpu', size=(128, 24, 48, 384), "
            "dtype=torch.bfloat16)");
  EXPECT_EQ(tensorText({7}, DType::F32),
            "tensor([...], device='cpu', size=(7,), dtype=torch.float32)");
}
