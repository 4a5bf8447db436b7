//===- ResultTextTest.cpp - Results and states come back whole ------------===//

#include "boo/driver/records/ResultText.h"
#include "boo/driver/records/StateText.h"

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

using namespace boo;
using testing::HasSubstr;

/// Every field differs from its default.
static RunResult full() {
  RunResult r;
  r.command = "conv -n 1 \"x\"";
  r.backend = "boo";
  r.direction = "input_backward";
  r.device = "cpu7";
  r.dtype = "bfloat16";
  r.repro = "boo driver conv";
  r.threads = 3;
  r.times = Statistics{7, 0.1, 1e300, 1.0 / 3, 5e-324, 2, 3, 4};
  r.iters = int64_t(1) << 60;
  r.gflops = -0.0;
  r.gbps = INFINITY;
  r.peakGflops = -INFINITY;
  r.peakKind = "copy";
  r.peakFraction = 0.1;
  r.compileMs = 1;
  r.loadMs = 2;
  r.firstCallMs = 3;
  r.workspaceBytes = 4;
  r.cache = "hit";
  r.algorithm = "direct";
  r.schedule = "m=1";
  r.artifact = "/a/b.so";
  r.why = {"one", "two\nlines"};
  r.profile = {{"conv_name", "pack_filter", 8, 0.5}, {"", "", 0, NAN}};
  r.verified = false;
  r.maxAbsErr = 5;
  r.maxRelErr = 6;
  r.bound = 7;
  r.checks = {"random: ok"};
  r.failedCheck = "block";
  r.checksCutShort = true;
  r.outputs = {{{2, 0, 5}, DType::BF16}, {{}, DType::I1}};
  r.status = Status(StatusCode::KernelError, "é");
  r.stopped = r.rejected = r.cutShort = true;
  return r;
}

TEST(ResultText, everyFieldComesBack) {
  std::string text = jsonLine(resultJson(full()));
  EXPECT_EQ(text.find('\n'), text.npos);
  auto json = parseJsonLine(text);
  ASSERT_TRUE(json.isOk());
  auto again = resultOfJson(*json);
  ASSERT_TRUE(again.isOk()) << again.status().toString();
  // As all fields are printed, equal texts are equal results.
  EXPECT_EQ(jsonLine(resultJson(*again)), text);
  EXPECT_EQ(again->times->median, 5e-324);
  EXPECT_EQ(again->gbps, INFINITY);
  EXPECT_TRUE(std::signbit(again->gflops));
  EXPECT_EQ(again->iters, int64_t(1) << 60);
  EXPECT_EQ(again->status.code(), StatusCode::KernelError);
  EXPECT_EQ(again->outputs, full().outputs);

  auto plain = resultOfJson(resultJson(RunResult()));
  ASSERT_TRUE(plain.isOk());
  EXPECT_TRUE(std::isnan(plain->gflops));
  EXPECT_FALSE(plain->times || plain->verified);
}

TEST(ResultText, eachFieldIsNeededAndOfItsKind) {
  nlohmann::ordered_json whole = resultJson(full());
  for (const auto &field : whole.items()) {
    for (bool missing : {true, false}) {
      nlohmann::ordered_json json = whole;
      if (missing)
        json.erase(field.key());
      else
        json[field.key()] = nlohmann::ordered_json::object();
      Status status = resultOfJson(json).status();
      ASSERT_FALSE(status.isOk()) << field.key();
      EXPECT_THAT(status.message(), HasSubstr("\"" + field.key() + "\""));
    }
  }
  EXPECT_FALSE(parseJsonLine("[1]").isOk());
  EXPECT_FALSE(parseJsonLine("{\"a\":").isOk());
  whole["iters"] = uint64_t(1) << 63;
  EXPECT_FALSE(resultOfJson(whole).isOk());
  whole["iters"] = 1.5;
  EXPECT_FALSE(resultOfJson(whole).isOk());
}

TEST(StateText, aTornLastLineDoesNotCount) {
  StateHead head{"build", "flags 'x'\n"};
  StateEntry entry{stateKey("conv"), {full(), RunResult()}};
  std::string text = printStateHead(head) + printStateEntry(entry);
  for (size_t cut = 0; cut <= text.size(); ++cut) {
    auto state = parseState(std::string_view(text).substr(0, cut));
    ASSERT_TRUE(state.isOk()) << cut << state.status().toString();
    EXPECT_EQ(state->entries.size(), cut == text.size() ? 1u : 0u);
    EXPECT_LE(state->soundBytes, cut);
    EXPECT_EQ(state->head == head, cut >= printStateHead(head).size());
  }
  auto state = parseState(text);
  EXPECT_EQ(printStateEntry(state->entries[0]), printStateEntry(entry));
}

TEST(StateText, foreignFilesAreNamedByLine) {
  auto message = [](const std::string &text) {
    return parseState(text).status().message();
  };
  EXPECT_THAT(message("arguments,boo mean\n"), HasSubstr("line 1: no JSON"));
  EXPECT_THAT(message("{}\n"), HasSubstr("line 1: no state of boo driver"));
  EXPECT_THAT(message("{\"boo_state\":2}\n"), HasSubstr("another format"));
  EXPECT_THAT(message("{\"boo_state\":1}\n"), HasSubstr("no build"));
  EXPECT_THAT(message(printStateHead({}) + "{\"key\":\"a\"}\n"),
              HasSubstr("line 2: no key or no results"));
  EXPECT_THAT(
      message(printStateHead({}) + "{\"key\":\"a\",\"results\":[{}]}\n"),
      HasSubstr("line 2: a result without a sound \"command\""));
}
