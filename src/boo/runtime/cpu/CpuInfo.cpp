//===- CpuInfo.cpp --------------------------------------------------------===//

#include "boo/runtime/cpu/CpuInfo.h"

#include <algorithm>
#include <bit>
#include <cpuid.h>
#include <cstdio>
#include <cstring>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

using namespace boo;

namespace {
struct Registers {
  uint32_t eax = 0, ebx = 0, ecx = 0, edx = 0;
};

enum class Reg { Ebx, Ecx, Edx, Eax };

/// State components of XCR0 that an instruction set needs saved.
constexpr uint64_t kSse = 0x2, kAvx = 0x6, kAvx512 = 0xe6, kAmx = 0x60006;

struct FeatureBit {
  const char *name;
  uint32_t leaf, subleaf;
  Reg reg;
  int bit;
  uint64_t state;
};
} // namespace

static constexpr FeatureBit kFeatures[] = {
    {"sse4.2", 1, 0, Reg::Ecx, 20, kSse},
    {"avx", 1, 0, Reg::Ecx, 28, kAvx},
    {"f16c", 1, 0, Reg::Ecx, 29, kAvx},
    {"fma", 1, 0, Reg::Ecx, 12, kAvx},
    {"bmi1", 7, 0, Reg::Ebx, 3, kSse},
    {"bmi2", 7, 0, Reg::Ebx, 8, kSse},
    {"avx2", 7, 0, Reg::Ebx, 5, kAvx},
    {"lzcnt", 0x80000001, 0, Reg::Ecx, 5, kSse},
    {"movbe", 1, 0, Reg::Ecx, 22, kSse},
    {"avx512f", 7, 0, Reg::Ebx, 16, kAvx512},
    {"avx512bw", 7, 0, Reg::Ebx, 30, kAvx512},
    {"avx512cd", 7, 0, Reg::Ebx, 28, kAvx512},
    {"avx512dq", 7, 0, Reg::Ebx, 17, kAvx512},
    {"avx512vl", 7, 0, Reg::Ebx, 31, kAvx512},
    {"avx512vnni", 7, 0, Reg::Ecx, 11, kAvx512},
    {"avx512-bf16", 7, 1, Reg::Eax, 5, kAvx512},
    {"avx512-fp16", 7, 0, Reg::Edx, 23, kAvx512},
    {"amx-tile", 7, 0, Reg::Edx, 24, kAmx},
    {"amx-bf16", 7, 0, Reg::Edx, 22, kAmx},
    {"amx-int8", 7, 0, Reg::Edx, 25, kAmx},
    {"amx-fp16", 7, 1, Reg::Eax, 21, kAmx},
};

/// Each CPUID leaves a virtual machine, which can take tens of microseconds, so
/// a leaf is read once. Called under cpuInfo()'s initialisation alone.
static Registers cpuid(uint32_t leaf, uint32_t subleaf) {
  struct Entry {
    uint32_t leaf, subleaf;
    Registers registers;
  };
  static std::vector<Entry> known;
  for (const Entry &entry : known)
    if (entry.leaf == leaf && entry.subleaf == subleaf)
      return entry.registers;
  Registers r;
  if (!__get_cpuid_count(leaf, subleaf, &r.eax, &r.ebx, &r.ecx, &r.edx))
    r = {};
  known.push_back({leaf, subleaf, r});
  return r;
}

static uint64_t savedState() {
  if (!(cpuid(1, 0).ecx & (1u << 27))) // OSXSAVE
    return 0;
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return uint64_t(high) << 32 | low;
}

/// Tile data is 8 KB of state a thread: Linux grants it on request, for all
/// threads of the process.
static bool requestAmx() {
  constexpr long archReqXcompPerm = 0x1023, xfeatureTileData = 18;
  return ::syscall(SYS_arch_prctl, archReqXcompPerm, xfeatureTileData) == 0;
}

static void readIdentity(CpuInfo &info) {
  Registers r = cpuid(0, 0);
  char vendor[13] = {};
  std::memcpy(vendor, &r.ebx, 4);
  std::memcpy(vendor + 4, &r.edx, 4);
  std::memcpy(vendor + 8, &r.ecx, 4);
  info.vendor = vendor;
  char brand[49] = {};
  for (uint32_t i = 0; i < 3; ++i) {
    r = cpuid(0x80000002 + i, 0);
    std::memcpy(brand + 16 * i, &r, 16);
  }
  info.brand = brand;
  while (!info.brand.empty() && info.brand.back() == ' ')
    info.brand.pop_back();
  uint32_t version = cpuid(1, 0).eax;
  info.stepping = int(version & 15);
  info.model = int((version >> 4 & 15) | (version >> 12 & 0xf0));
  info.family = int(version >> 8 & 15);
  if (info.family == 15)
    info.family += int(version >> 20 & 0xff);
}

/// True when CPUs of this model have `name`, whatever CPUID shows here. Only
/// models of servers on which hypervisors are known to hide features.
static bool modelHas(const CpuInfo &cpu, std::string_view name) {
  bool avx512 = name.substr(0, 6) == "avx512";
  bool amx = name.substr(0, 3) == "amx" && name != "amx-fp16";
  if (cpu.vendor == "GenuineIntel" && cpu.family == 6) {
    switch (cpu.model) {
    case 0xad: // Granite Rapids
    case 0xae:
      return avx512 || amx || name == "amx-fp16";
    case 0x8f: // Sapphire Rapids
    case 0xcf: // Emerald Rapids
      return avx512 || amx;
    case 0x6a: // Ice Lake server
    case 0x6c:
      return avx512 && name != "avx512-bf16" && name != "avx512-fp16";
    default:
      return false;
    }
  }
  bool zen4 = cpu.family == 0x19 &&
              ((cpu.model >= 0x10 && cpu.model <= 0x1f) || cpu.model >= 0x60);
  if (cpu.vendor == "AuthenticAMD" && (zen4 || cpu.family == 0x1a))
    return avx512 && name != "avx512-fp16";
  return false;
}

static void readFeatures(CpuInfo &info) {
  uint64_t state = savedState();
  bool amxAsked = false, amxGranted = false;
  for (const FeatureBit &bit : kFeatures) {
    Registers r = cpuid(bit.leaf, bit.subleaf);
    uint32_t word = bit.reg == Reg::Ebx   ? r.ebx
                    : bit.reg == Reg::Ecx ? r.ecx
                    : bit.reg == Reg::Edx ? r.edx
                                          : r.eax;
    CpuFeature feature{bit.name, (word >> bit.bit & 1) != 0, false, ""};
    bool saved = bit.state == kSse || (state & bit.state) == bit.state;
    if (!feature.inCpuid)
      feature.reason = modelHas(info, bit.name)
                           ? "this CPU model has it, but CPUID hides it "
                             "(hypervisor or firmware)"
                           : "the CPU does not have it";
    else if (!saved)
      feature.reason = "the system does not save its registers (XCR0)";
    else if (bit.state == kAmx) {
      if (!amxAsked)
        amxGranted = requestAmx();
      amxAsked = true;
      if (!amxGranted)
        feature.reason = "the system refuses arch_prctl(ARCH_REQ_XCOMP_PERM)";
    }
    feature.usable = feature.reason.empty();
    info.features.push_back(std::move(feature));
  }
}

static void readCaches(CpuInfo &info) {
  // Both vendors use the same fields, in a leaf of their own.
  uint32_t leaf = info.vendor == "AuthenticAMD" ? 0x8000001d : 4;
  for (uint32_t i = 0; i < 16; ++i) {
    Registers r = cpuid(leaf, i);
    uint32_t type = r.eax & 31, level = r.eax >> 5 & 7;
    if (type == 0)
      break;
    if (type == 2) // instructions
      continue;
    int64_t bytes = int64_t((r.ebx >> 22) + 1) * ((r.ebx >> 12 & 0x3ff) + 1) *
                    ((r.ebx & 0xfff) + 1) * (int64_t(r.ecx) + 1);
    (level == 1   ? info.l1Bytes
     : level == 2 ? info.l2Bytes
                  : info.l3Bytes) = bytes;
  }
}

bool CpuInfo::usable(std::string_view feature) const {
  return std::any_of(features.begin(), features.end(), [&](const auto &f) {
    return f.name == feature && f.usable;
  });
}

const CpuInfo &boo::cpuInfo() {
  static const CpuInfo *info = [] {
    auto *result = new CpuInfo;
    readIdentity(*result);
    readFeatures(*result);
    readCaches(*result);
    result->onlineCpus = std::max(1, int(::sysconf(_SC_NPROCESSORS_ONLN)));
    result->affinityCpus = result->onlineCpus;
    cpu_set_t set;
    if (::sched_getaffinity(0, sizeof(set), &set) == 0)
      result->affinityCpus = std::max(1, CPU_COUNT(&set));
    return result;
  }();
  return *info;
}

/// What code of an instruction set may use, beyond that of those before it.
static std::vector<const char *> featuresOf(Isa isa) {
  switch (isa) {
  case Isa::Generic:
    return {};
  case Isa::Avx2:
    return {"avx", "avx2", "fma", "f16c", "bmi1", "bmi2", "lzcnt", "movbe"};
  case Isa::Avx512:
    return {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"};
  case Isa::Amx:
    return {"amx-tile", "amx-bf16"};
  }
  return {};
}

Status boo::canRun(const Target &target) {
  auto check = [&](const char *name) -> Status {
    for (const CpuFeature &feature : cpuInfo().features)
      if (feature.name == name && !feature.usable)
        return unsupported("this machine cannot run " +
                           std::string(isaName(target.isa)) +
                           " code: " + feature.name + ": " + feature.reason);
    return Status::ok();
  };
  for (int isa = 0; isa <= int(target.isa); ++isa)
    for (const char *name : featuresOf(Isa(isa)))
      BOO_RETURN_IF_ERROR(check(name));
  if (target.fastBf16Dot)
    BOO_RETURN_IF_ERROR(check("avx512-bf16"));
  return target.avx512Fp16 ? check("avx512-fp16") : Status::ok();
}

const Target &boo::hostTarget() {
  static const Target *target = [] {
    auto *result = new Target;
    for (Isa isa : {Isa::Avx2, Isa::Avx512, Isa::Amx}) {
      Target candidate;
      candidate.isa = isa;
      if (!canRun(candidate).isOk())
        break;
      result->isa = isa;
    }
    const CpuInfo &cpu = cpuInfo();
    result->avx512Fp16 =
        result->isa >= Isa::Avx512 && cpu.usable("avx512-fp16");
    // Intel's cores do a dot product of 16-bit pairs at half the rate.
    result->fastBf16Dot = result->isa >= Isa::Avx512 &&
                          cpu.vendor == "AuthenticAMD" &&
                          cpu.usable("avx512-bf16");
    if (cpu.l1Bytes)
      result->l1Bytes = cpu.l1Bytes;
    if (cpu.l2Bytes)
      result->l2Bytes = cpu.l2Bytes;
    if (cpu.l3Bytes)
      result->l3Bytes = cpu.l3Bytes;
    // Of the machine, not of the affinity mask, which changes from run to run.
    result->cores = int64_t(std::bit_floor(unsigned(cpu.onlineCpus)));
    return result;
  }();
  return *target;
}

StatusOr<Target> boo::targetFor(std::string_view name, bool compileOnly) {
  Target target = hostTarget();
  if (name == "host")
    return target;
  auto isa = parseIsa(name);
  if (!isa.isOk())
    return invalidArgument("unknown target '" + std::string(name) +
                           "': expected host, generic, avx2, avx512 or amx");
  target.isa = *isa;
  // Every CPU with AMX has AVX512-FP16.
  target.avx512Fp16 = target.isa == Isa::Amx ||
                      (target.isa == Isa::Avx512 && target.avx512Fp16);
  target.fastBf16Dot = target.isa >= Isa::Avx512 && target.fastBf16Dot;
  if (!compileOnly)
    BOO_RETURN_IF_ERROR(canRun(target));
  return target;
}
