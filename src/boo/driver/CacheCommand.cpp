//===- CacheCommand.cpp - `boo cache` -------------------------------------===//

#include "boo/driver/CacheCommand.h"
#include "boo/base/Env.h"
#include "boo/driver/commands/Nearest.h"
#include "boo/runtime/CacheTools.h"
#include "boo/runtime/Files.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

using namespace boo;

namespace {
struct CacheFlags {
  std::string dir, maxSize, file;
  bool json = false;
};
} // namespace

static int fail(const Status &status) {
  std::fprintf(stderr, "boo: error: %s\n", status.message().c_str());
  return status.code() == StatusCode::InvalidArgument ? 2 : 1;
}

static std::string sizeText(int64_t bytes) {
  char text[32];
  double value = double(bytes);
  const char *unit = "B";
  for (const char *next : {"KiB", "MiB", "GiB"}) {
    if (value < 1024)
      break;
    value /= 1024;
    unit = next;
  }
  std::snprintf(text, sizeof(text),
                value < 10 && unit[0] != 'B' ? "%.1f %s" : "%.0f %s", value,
                unit);
  return text;
}

static std::string ageText(int64_t seconds) {
  if (seconds < 120)
    return std::to_string(seconds) + " s";
  if (seconds < 2 * 3600)
    return std::to_string(seconds / 60) + " min";
  if (seconds < 2 * 86400)
    return std::to_string(seconds / 3600) + " h";
  return std::to_string(seconds / 86400) + " days";
}

static std::string instructionSet(const Manifest &manifest) {
  std::string isa = manifest.target.substr(0, manifest.target.find(' '));
  return isa.substr(isa.find('=') + 1);
}

static void printJson(const CacheEntry &entry) {
  nlohmann::ordered_json line;
  line["name"] = entry.name;
  line["key"] = entry.key;
  line["bytes"] = entry.bytes;
  line["age_s"] = entry.ageSeconds;
  if (entry.status.isOk()) {
    line["target"] = entry.manifest.target;
    line["algorithm"] = entry.manifest.algorithm;
    line["schedule"] = entry.manifest.schedule;
    line["math"] = entry.manifest.math;
    line["error"] = nullptr;
  } else {
    line["target"] = line["algorithm"] = line["schedule"] = line["math"] =
        nullptr;
    line["error"] = entry.status.message();
  }
  line["path"] = entry.path;
  // Bytes that are no UTF-8 must not end the program.
  constexpr auto replace = nlohmann::ordered_json::error_handler_t::replace;
  std::printf("%s\n", line.dump(-1, ' ', false, replace).c_str());
}

static int list(const CacheFlags &flags) {
  std::vector<CacheEntry> entries = listCache(flags.dir);
  if (flags.json) {
    for (const CacheEntry &entry : entries)
      printJson(entry);
    return 0;
  }
  int64_t total = 0;
  for (const CacheEntry &entry : entries) {
    total += entry.bytes;
    std::string what =
        entry.status.isOk()
            ? instructionSet(entry.manifest) + " " + entry.manifest.algorithm
            : "unusable: " + entry.status.message();
    std::printf("%s  %9s  %8s  %s  %s\n", entry.key.c_str(),
                sizeText(entry.bytes).c_str(),
                ageText(entry.ageSeconds).c_str(), entry.name.c_str(),
                what.c_str());
  }
  std::printf("%zu entries, %s in %s\n", entries.size(),
              sizeText(total).c_str(), flags.dir.c_str());
  return 0;
}

static int verify(const CacheFlags &flags) {
  int bad = 0, all = 0;
  for (const CacheEntry &entry : listCache(flags.dir)) {
    ++all;
    if (entry.status.isOk())
      continue;
    ++bad;
    std::printf("%s: %s\n", entry.path.c_str(), entry.status.message().c_str());
  }
  std::printf("%d of %d entries verified\n", all - bad, all);
  if (bad)
    std::fputs("boo: an entry that does not verify is never used; "
               "'boo cache gc' removes it\n",
               stderr);
  return bad ? 1 : 0;
}

static int report(const CacheChange &change, const CacheFlags &flags) {
  std::printf("removed %lld entries (%s), %lld left (%s) in %s\n",
              static_cast<long long>(change.removedEntries),
              sizeText(change.removedBytes).c_str(),
              static_cast<long long>(change.keptEntries),
              sizeText(change.keptBytes).c_str(), flags.dir.c_str());
  return 0;
}

static int collect(const CacheFlags &flags) {
  int64_t maxBytes = INT64_MAX;
  if (!flags.maxSize.empty()) {
    auto size = parseSize(flags.maxSize);
    if (!size.isOk())
      return fail(size.status().withContext("--max-size"));
    maxBytes = *size;
  }
  return report(trimCache(flags.dir, maxBytes), flags);
}

static int clear(const CacheFlags &flags) {
  CacheChange change = clearCache(flags.dir);
  report(change, flags);
  if (change.keptEntries == 0)
    return 0;
  return fail(ioError("some entries could not be removed: whose are they?"));
}

static int path(const CacheFlags &flags) {
  std::printf("%s\n", flags.dir.c_str());
  return 0;
}

static int reportArchive(const StatusOr<ArchiveReport> &result,
                         const char *what) {
  if (!result.isOk())
    return fail(result.status());
  for (const std::string &note : result->notes)
    std::fprintf(stderr, "boo: left out: %s\n", note.c_str());
  std::printf("%s %lld entries", what, static_cast<long long>(result->entries));
  if (result->present)
    std::printf(", %lld were there already",
                static_cast<long long>(result->present));
  std::printf("\n");
  return result->notes.empty() ? 0 : 1;
}

static int exportTo(const CacheFlags &flags) {
  return reportArchive(exportCache(flags.dir, flags.file), "exported");
}

static int importFrom(const CacheFlags &flags) {
  return reportArchive(importCache(flags.dir, flags.file), "imported");
}

/// Names an unknown subcommand, of which CLI11 only says that one is missing.
static Status checkName(const CLI::App &app,
                        std::span<const std::string> arguments) {
  size_t at = 0;
  while (at < arguments.size() && arguments[at].starts_with("-"))
    at += arguments[at] == "--cache-dir" ? 2 : 1;
  if (at >= arguments.size())
    return Status::ok();
  std::vector<std::string> names;
  std::string list;
  for (const CLI::App *each : app.get_subcommands(nullptr)) {
    names.push_back(each->get_name());
    list += (list.empty() ? "" : ", ") + names.back();
  }
  if (std::find(names.begin(), names.end(), arguments[at]) != names.end())
    return Status::ok();
  std::vector<std::string_view> views(names.begin(), names.end());
  return invalidArgument(
      "boo cache: there is no subcommand '" + arguments[at].substr(0, 60) +
      "'" + didYouMean(arguments[at], views) + " (there are " + list + ")");
}

int boo::cacheCommand(std::span<const std::string> arguments) {
  if (!envStatus().isOk())
    return fail(envStatus());
  CacheFlags flags;
  int (*run)(const CacheFlags &) = nullptr;
  CLI::App app("Looks after the folder of compiled kernels.", "boo cache");
  app.require_subcommand(1);
  app.fallthrough(); // --cache-dir may follow the subcommand
  app.add_option("--cache-dir", flags.dir,
                 "the folder [BOO_CACHE_DIR, or\n"
                 "~/.cache/turbine_kernels/boo]");
  auto add = [&](const char *name, const char *what,
                 int (*function)(const CacheFlags &)) {
    CLI::App *command = app.add_subcommand(name, what);
    command->callback([&run, function] { run = function; });
    return command;
  };
  add("ls", "lists the entries", list)
      ->add_flag("--json", flags.json, "one JSON object a line");
  add("verify", "checks every entry, and says what is wrong", verify);
  add("gc", "removes unusable entries, then the oldest in use", collect)
      ->add_option("--max-size", flags.maxSize,
                   "what may be left, for instance 100M or 1G");
  add("clear", "removes all entries, and nothing that is not BOO's", clear);
  add("path", "prints the folder", path);
  add("export", "writes all usable entries into one tar file", exportTo)
      ->add_option("FILE", flags.file)
      ->required();
  add("import", "adds the entries of such a file, each verified", importFrom)
      ->add_option("FILE", flags.file)
      ->required();
  if (Status status = checkName(app, arguments); !status.isOk())
    return fail(status);
  // CLI11 takes the arguments from the back.
  std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
  try {
    app.parse(reversed);
  } catch (const CLI::ParseError &error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (flags.dir.empty())
    flags.dir = env().cacheDir;
  return run(flags);
}
