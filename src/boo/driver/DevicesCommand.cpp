//===- DevicesCommand.cpp - `boo devices` ---------------------------------===//

#include "boo/driver/DevicesCommand.h"
#include "boo/base/Env.h"
#include "boo/runtime/Allocator.h"
#include "boo/runtime/CacheTools.h"
#include "boo/runtime/CompilerPlugin.h"
#include "boo/runtime/Files.h"
#include "boo/runtime/cpu/CpuInfo.h"
#include "boo/runtime/cpu/Threads.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <unistd.h>

using namespace boo;
using Json = nlohmann::ordered_json;

namespace {
struct CacheState {
  int64_t entries = 0, unusable = 0, bytes = 0;
  std::string state; ///< "on", "off (BOO_CACHE_ON)", "cannot be written to"
};
} // namespace

static CacheState cacheState() {
  CacheState cache;
  for (const CacheEntry &entry : listCache(env().cacheDir)) {
    ++cache.entries;
    cache.unusable += !entry.status.isOk();
    cache.bytes += entry.bytes;
  }
  // The nearest folder that exists is the one that must be writable.
  std::string folder = env().cacheDir;
  while (::access(folder.c_str(), F_OK) != 0 && folder != "/" && folder != ".")
    folder = parentPath(folder);
  if (!env().cacheOn)
    cache.state = "off (BOO_CACHE_ON)";
  else if (::access(folder.c_str(), W_OK | X_OK) != 0)
    cache.state = "on, but cannot be written to";
  else
    cache.state = "on";
  return cache;
}

static Json describe() {
  const CpuInfo &cpu = cpuInfo();
  Json all;
  Json &device = all["cpu"];
  device["name"] = cpu.brand;
  device["vendor"] = cpu.vendor;
  device["family"] = cpu.family;
  device["model"] = cpu.model;
  device["stepping"] = cpu.stepping;
  device["online_cpus"] = cpu.onlineCpus;
  device["affinity_cpus"] = cpu.affinityCpus;
  device["l1_bytes"] = cpu.l1Bytes;
  device["l2_bytes"] = cpu.l2Bytes;
  device["l3_bytes"] = cpu.l3Bytes;
  device["target"] = printTarget(hostTarget());
  device["memory_available_bytes"] = availableMemory();
  for (const CpuFeature &feature : cpu.features)
    device["features"].push_back(
        {{"name", feature.name},
         {"in_cpuid", feature.inCpuid},
         {"usable", feature.usable},
         {"reason", feature.reason.empty() ? Json() : Json(feature.reason)}});
  for (const char *name : {"generic", "avx2", "avx512", "amx"}) {
    auto target = targetFor(name);
    all["targets"][name] =
        target.isOk() ? Json("usable") : Json(target.status().message());
  }
  all["threads"]["default"] = defaultThreads();
  all["threads"]["runtime"] = openMpRuntime();
  CacheState cache = cacheState();
  all["cache"] = {{"dir", env().cacheDir},    {"state", cache.state},
                  {"entries", cache.entries}, {"unusable", cache.unusable},
                  {"bytes", cache.bytes},     {"tiers", env().cachePath}};
  auto plugin = findCompilerPlugin();
  all["compiler"]["plugin"] = plugin.isOk() ? Json(*plugin) : Json();
  all["compiler"]["builds"] = plugin.isOk() ? Json(compilerBuilds()) : Json();
  all["compiler"]["error"] =
      plugin.isOk() ? Json() : Json(plugin.status().message());
  all["environment"] =
      envStatus().isOk() ? Json() : Json(envStatus().message());
  return all;
}

static void printCpu() {
  const CpuInfo &cpu = cpuInfo();
  std::printf("cpu       %s (%s family %d model %d stepping %d)\n",
              cpu.brand.c_str(), cpu.vendor.c_str(), cpu.family, cpu.model,
              cpu.stepping);
  std::printf("          %d CPUs, %d for this process; caches: L1 %lld KiB, L2 "
              "%lld KiB, L3 %lld KiB\n",
              cpu.onlineCpus, cpu.affinityCpus,
              static_cast<long long>(cpu.l1Bytes >> 10),
              static_cast<long long>(cpu.l2Bytes >> 10),
              static_cast<long long>(cpu.l3Bytes >> 10));
  std::printf("          %lld MiB of memory available\n",
              static_cast<long long>(availableMemory() >> 20));
  std::printf("target    %s\n", printTarget(hostTarget()).c_str());
  std::string usable;
  for (const CpuFeature &feature : cpu.features)
    if (feature.usable)
      usable += " " + feature.name;
  std::printf("features %s\n", usable.c_str());
  for (const CpuFeature &feature : cpu.features)
    if (!feature.usable)
      std::printf("without   %-12s %s\n", feature.name.c_str(),
                  feature.reason.c_str());
}

static void printText() {
  printCpu();
  std::printf("threads   %d by default, of %s\n", defaultThreads(),
              openMpRuntime());
  CacheState cache = cacheState();
  std::printf("cache     %s: %s, %lld entries, %lld KiB\n",
              env().cacheDir.c_str(), cache.state.c_str(),
              static_cast<long long>(cache.entries),
              static_cast<long long>(cache.bytes >> 10));
  if (cache.unusable)
    std::printf("          %lld entries are unusable: boo cache verify\n",
                static_cast<long long>(cache.unusable));
  for (const std::string &tier : env().cachePath)
    std::printf("tier      %s\n", tier.c_str());
  if (auto plugin = findCompilerPlugin(); plugin.isOk())
    std::printf("compiler  %s\n          %s\n", plugin->c_str(),
                compilerBuilds().c_str());
  else
    std::printf("compiler  %s\n", plugin.status().message().c_str());
  if (!envStatus().isOk())
    std::printf("problem   %s\n", envStatus().message().c_str());
}

int boo::devicesCommand(std::span<const std::string> arguments) {
  bool json = false;
  CLI::App app("What this machine can run, and what BOO finds on it.",
               "boo devices");
  app.add_flag("--json", json, "one JSON object");
  std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
  try {
    app.parse(reversed);
  } catch (const CLI::ParseError &error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (json) {
    constexpr auto replace = Json::error_handler_t::replace;
    std::printf("%s\n", describe().dump(-1, ' ', false, replace).c_str());
  } else {
    printText();
  }
  return findCompilerPlugin().isOk() && envStatus().isOk() ? 0 : 1;
}
