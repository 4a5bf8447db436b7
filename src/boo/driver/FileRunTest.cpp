//===- FileRunTest.cpp - Files of commands: deaths, states, tensors -------===//

#include "boo/driver/records/StateText.h"
#include "boo/driver/testing/DriverFixture.h"

#include <fcntl.h>
#include <new>
#include <nlohmann/json.hpp>
#include <sys/wait.h>

using namespace boo;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

namespace {

/// Does what the batch size says: 2 a wild access, 3 a hang, 4 no memory, 5 the
/// end of the whole program; else nothing. Each run leaves a byte in `log`.
class Fragile : public Runner {
public:
  Fragile(const Graph &graph, std::string log)
      : Batch(graph.value(graph.arguments()[0]).type.sizes[0].size()),
        Log(std::move(log)) {
    Info.cache = "off";
  }
  const RunnerInfo &info() const override { return Info; }
  int64_t memoryBytes(int) const override { return 0; }
  Status prepare(std::span<const void *const>, int) override {
    return Status::ok();
  }
  Status run(std::span<const void *const>, std::span<void *const>,
             int) override {
    FileHandle log(::open(Log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600));
    EXPECT_EQ(::write(log.fd(), "x", 1), 1);
    if (Batch == 2) {
      ::signal(SIGSEGV, SIG_DFL); // a sanitizer would tell of it at length
      ::raise(SIGSEGV);
    }
    while (Batch == 3)
      ::usleep(1000);
    if (Batch == 4)
      std::get_new_handler()();
    if (Batch == 5)
      ::kill(::getppid(), SIGKILL);
    return Status::ok();
  }

private:
  int64_t Batch;
  std::string Log;
  RunnerInfo Info;
};

class FileRun : public DriverFixture {
protected:
  void SetUp() override {
    DriverFixture::SetUp();
    registerBackend("fragile",
                    [this](const Graph &graph, const CompileOptions &) {
                      return StatusOr<std::unique_ptr<Runner>>(
                          std::make_unique<Fragile>(graph, Folder + "/log"));
                    });
  }

  /// Lines with these batch sizes.
  std::string commands(const std::string &batches) {
    std::string text;
    for (char batch : batches)
      text += line(batch) + (batch == '3' ? " --timeout 0.5\n" : "\n");
    return "--commands-file " + file("list.txt", text);
  }
  static std::string line(char batch) {
    return std::string("conv -n ") + batch + " -c 2 -H 4 -W 5 -k 3";
  }
  size_t runs() {
    auto log = readFile(Folder + "/log");
    return log.isOk() ? log->size() : 0;
  }
};

} // namespace

TEST_F(FileRun, deathsCostTheirLinesAlone) {
  Outcome o = run(commands("12x341") + " --backend fragile");
  EXPECT_EQ(o.status, 1);
  EXPECT_THAT(o.err, HasSubstr("6 of 6 commands ran, 4 failed"));
  EXPECT_THAT(
      o.err, HasSubstr("   passed   failed  skipped  not run   cached  compiled"
                       "        time\n        2        4        0        0"));
  EXPECT_THAT(o.err, HasSubstr("line 2 [fragile]: " + line('2') +
                               "\n  killed by SIGSEGV (bad memory access)\n"
                               "  repeat with: boo driver " +
                               line('2') + " --seed 0 --backend fragile\n"));
  EXPECT_THAT(o.err, HasSubstr("boo driver " + line('3') +
                               " --seed 0 --timeout 0.5 --backend fragile\n"));
  EXPECT_THAT(o.err, HasSubstr("line 3: " + line('x')));
  EXPECT_THAT(o.err, HasSubstr("ran longer than --timeout 0.5"));
  EXPECT_THAT(o.err, HasSubstr("line 5 [fragile]: " + line('4') +
                               "\n  ran out of memory\n"));
  // What ended has its tensor, what began its command, in the file's order.
  std::string tensor = "\n>>> tensor([...], device='cpu', size=(1, 3, 2, 3), "
                       "dtype=torch.float32)\n";
  EXPECT_EQ(o.out, line('1') + tensor + line('2') + "\n" + line('3') + "\n" +
                       line('4') + "\n" + line('1') + tensor);
}

TEST_F(FileRun, aDeathOnOneBackendLeavesTheOther) {
  std::string csv = Folder + "/out.csv";
  Outcome o = run(commands("21") +
                  " --backend fragile --backend reference "
                  "--json --iter 1 --csv " +
                  csv);
  EXPECT_EQ(o.status, 1);
  std::vector<std::string> lines = linesOf(o.out);
  ASSERT_EQ(lines.size(), 4u) << o.out;
  for (size_t i = 0; i != 4; ++i) {
    auto json = nlohmann::json::parse(lines[i]);
    EXPECT_EQ(json["command"], line(i < 2 ? '2' : '1'));
    EXPECT_EQ(json["backend"], i % 2 ? "reference" : "fragile");
    EXPECT_EQ(json["error"].is_null(), i != 0) << lines[i];
  }
  EXPECT_THAT(*readFile(csv), HasSubstr("killed by SIGSEGV"));
  EXPECT_EQ(linesOf(*readFile(csv)).size(), 3u);
}

TEST_F(FileRun, orderIsThatOfTheFileWithAnyNumberOfJobs) {
  std::string flags = commands("1x2671891") +
                      " --backend reference --backend fragile --timeout 20";
  Outcome one = run(flags), three = run(flags + " --jobs 3");
  EXPECT_EQ(one.out, three.out);
  EXPECT_EQ(three.status, 1);
  EXPECT_THAT(run(flags + " --jobs 3 -t 1 --iter 1").err,
              HasSubstr("with --jobs 3 commands disturb each other's times"));
  EXPECT_EQ(run(flags + " --jobs 0").status, 2);
}

TEST_F(FileRun, aSingleCommandHasATimeout) {
  Outcome o = run(line('3') + " --backend fragile --timeout 0.3");
  EXPECT_EQ(o.status, 1);
  EXPECT_THAT(o.err, HasSubstr("ran longer than --timeout 0.3"));
  EXPECT_EQ(run(line('1') + " --timeout 20").status, 0);
  for (const char *bad : {"0", "-1", "nan", "soon"})
    EXPECT_EQ(run(line('1') + " --timeout=" + bad).status, 2) << bad;
  EXPECT_THAT(run(line('1') + " --jobs 2 --restart").err,
              AllOf(HasSubstr("--jobs is ignored without --commands-file"),
                    HasSubstr("--restart is ignored without --state")));
}

TEST_F(FileRun, flagsBesideTheFileAreThoseOfAnyFamily) {
  std::string path = file("norms.txt", "layernorm -X 2x3x4\n");
  Outcome o = run("--commands-file " + path + " -X 3x4 -o 1");
  EXPECT_EQ(o.status, 0) << o.err;
  EXPECT_THAT(o.out, HasSubstr("size=(3, 4)"));
}

TEST_F(FileRun, stateIsTakenOver) {
  std::string state = Folder + "/state";
  std::string flags = " --backend fragile --state " + state;
  Outcome first = run(commands("1231") + flags);
  EXPECT_EQ(first.status, 1);
  EXPECT_EQ(runs(), 4u);
  // A line more, others elsewhere; what is done is told as it was.
  Outcome second = run(commands("16231") + flags);
  EXPECT_EQ(second.status, 1);
  EXPECT_EQ(runs(), 5u);
  EXPECT_THAT(second.err, HasSubstr("        3        2        4        0"));
  EXPECT_THAT(second.err, HasSubstr("line 3 [fragile]: " + line('2') +
                                    "\n  killed by SIGSEGV"));
  EXPECT_THAT(second.out, HasSubstr(line('6') + "\n>>> tensor"));
  Outcome third = run(commands("16231") + flags + " --restart");
  EXPECT_EQ(runs(), 10u);
  EXPECT_EQ(third.out, second.out);
}

TEST_F(FileRun, stateSurvivesSigkill) {
  std::string flags =
      commands("678519") + " --backend fragile --state " + Folder + "/state";
  pid_t child = ::fork();
  if (child == 0) {
    (void)run(flags);
    ::_exit(0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << status;
  EXPECT_EQ(runs(), 4u);
  auto state = parseState(*readFile(Folder + "/state"));
  ASSERT_TRUE(state.isOk());
  EXPECT_EQ(state->entries.size(), 3u);
}

TEST_F(FileRun, stateOfOthersIsRefused) {
  std::string state = Folder + "/state", flags = " --state " + state;
  ASSERT_EQ(run(commands("1") + flags + " --seed 3").status, 0);
  std::string text = *readFile(state);
  // Reports and limits do not bear on results.
  EXPECT_EQ(run(commands("1") + flags +
                " --seed 3 --no-verbose --jobs 2 "
                "--timeout 9")
                .status,
            0);
  for (const char *other :
       {"", " --seed 4", " --seed 3 --verify", " --seed 3 --json",
        " --seed 3 -k 5", " --seed 3 --backend fragile"}) {
    Outcome o = run(commands("1") + flags + other);
    EXPECT_EQ(o.status, 2) << other;
    EXPECT_THAT(o.err, HasSubstr("with other flags")) << other;
    EXPECT_THAT(o.err, HasSubstr("--restart begins anew"));
  }
  EXPECT_EQ(*readFile(state), text);
  size_t at = text.find("\"build\":\"") + 9;
  (void)file("state", text.substr(0, at) + "x" + text.substr(at));
  EXPECT_THAT(run(commands("1") + flags + " --seed 3").err,
              HasSubstr("it is of another build"));
  EXPECT_EQ(run(commands("1") + flags + " --restart").status, 0);
  // Something dear, named by mistake.
  (void)file("state", "my thesis\n");
  EXPECT_EQ(run(commands("1") + flags + " --restart").status, 2);
  EXPECT_EQ(*readFile(state), "my thesis\n");
}

/// The only file of the folder whose name ends so.
static std::string named(const std::string &folder, const std::string &end) {
  std::string found;
  for (const std::string &name : listDirectory(folder))
    if (name.ends_with(end))
      found += folder + "/" + name;
  return found;
}

TEST_F(FileRun, savedInputsGiveTheSameResults) {
  std::string command = "convbfp16 -n 2 -c 3 -H 5 -W 4 -k 2 --in_layout NHWC "
                        "--out_layout NHWC --fil_layout NHWC";
  std::string a = Folder + "/a", b = Folder + "/b";
  ASSERT_EQ(run(command + " --seed 7 --save " + a).status, 0);
  Outcome o = run(command + " --load " + a + " --verify --save " + b);
  EXPECT_EQ(o.status, 0) << o.err;
  ASSERT_EQ(listDirectory(a), listDirectory(b));
  EXPECT_EQ(listDirectory(a).size(), 3u);
  for (const std::string &name : listDirectory(a))
    EXPECT_EQ(*readFile(a + "/" + name), *readFile(b + "/" + name)) << name;
  std::string output = *readFile(named(a, ".output0.reference.npy"));
  EXPECT_THAT(output, HasSubstr("'<u2', 'fortran_order': False, 'shape': "
                                "(2, 2, 3, 2)"));
  EXPECT_NE(output, *readFile(named(a, ".input0.npy")));

  // The wrong files are named.
  std::string input = named(a, ".input1.npy");
  std::string f16 = *readFile(input);
  f16.replace(f16.find("<u2"), 3, "<f2");
  ASSERT_TRUE(writeFile(input, f16).isOk());
  o = run(command + " --load " + a);
  EXPECT_EQ(o.status, 2);
  EXPECT_THAT(o.err, HasSubstr("--load: " + input +
                               ": its elements are '<f2', but bf16"));
  ::unlink(input.c_str());
  o = run(command + " --load " + a);
  EXPECT_EQ(o.status, 1);
  EXPECT_THAT(o.err, HasSubstr(input + ": No such file"));
  for (const std::string &dir : {a, b}) {
    for (const std::string &name : listDirectory(dir))
      ::unlink((dir + "/" + name).c_str());
    ::rmdir(dir.c_str());
  }
}
